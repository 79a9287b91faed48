//! Numbers as headers write them.

/// An octal number between spaces or NULs, or GNU's binary form for what is too large for that.
/// Empty is 0, as some programs leave fields out.
pub(super) fn field(bytes: &[u8]) -> Option<i128> {
    match bytes.first()? {
        first if first & 0x80 != 0 => binary(bytes),
        _ => octal(bytes).map(i128::from),
    }
}

/// The same, when it cannot be negative.
pub(super) fn unsigned(bytes: &[u8]) -> Option<u64> {
    u64::try_from(field(bytes)?).ok()
}

fn octal(bytes: &[u8]) -> Option<u64> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let start = bytes.iter().position(|byte| !is_padding(byte)).unwrap_or(bytes.len());
    let digits = &bytes[start..];
    let end = digits.iter().position(is_padding).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if !rest.iter().all(is_padding) {
        return None;
    }
    let mut value = 0_u64;
    for digit in digits {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 8)?;
        value = value.checked_mul(8)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// Big-endian two's complement; the topmost bit marks the form and is not part of the number.
fn binary(bytes: &[u8]) -> Option<i128> {
    let (first, rest) = bytes.split_first()?;
    let negative = first & 0x40 != 0;
    let mut value = i128::from(first & 0x3f) - if negative { 0x40 } else { 0 };
    for byte in rest {
        value = value.checked_mul(256)?.checked_add(i128::from(*byte))?;
    }
    // Nothing in an archive needs more.
    (i64::try_from(value).is_ok() || u64::try_from(value).is_ok()).then_some(value)
}

/// A decimal number without sign, as extended headers have.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{decimal, field, unsigned};

    #[test]
    fn octal_in_all_its_paddings() {
        for text in [&b"0000755\0"[..], b"    755 ", b"755\0\0\0", b"755 \0", b"00000755"] {
            assert_eq!(field(text), Some(0o755), "{text:?}");
        }
        assert_eq!(field(b"        "), Some(0));
        assert_eq!(field(b"\0\0\0\0"), Some(0));
        for text in [&b"0000789\0"[..], b"7 5 ", b"-1\0", b"0x10", b"7\x007"] {
            assert_eq!(field(text), None, "{text:?}");
        }
    }

    #[test]
    fn binary_beyond_octal() {
        let mut size = [0_u8; 12];
        size[0] = 0x80;
        size[7] = 1;
        assert_eq!(unsigned(&size), Some(1 << 32));
        assert_eq!(field(&[0xff; 12]), Some(-1));
        assert_eq!(unsigned(&[0xff; 12]), None);
        assert_eq!(
            field(&[0xbf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            None
        );
    }

    #[test]
    fn decimal_has_no_sign() {
        assert_eq!(decimal(b"18446744073709551615"), Some(u64::MAX));
        for text in [&b"18446744073709551616"[..], b"", b"+1", b"-1", b" 1", b"1 "] {
            assert_eq!(decimal(text), None, "{text:?}");
        }
    }
}
