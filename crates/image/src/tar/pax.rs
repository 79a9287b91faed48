//! Extended headers of POSIX.1-2001: `LENGTH KEY=VALUE` lines about the next entry, or about all
//! that follow.

use super::numbers::decimal;
use super::sparse::Fragment;
use super::{Problem, Time, sparse};

/// What extended headers say. What they do not say is `None`.
#[derive(Clone, Debug, Default)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) user: Option<u64>,
    pub(super) group: Option<u64>,
    pub(super) modified: Option<Time>,
    pub(super) accessed: Option<Time>,
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) sparse: Sparse,
}

/// What extended headers say of a sparse file. GNU tar has three ways.
#[derive(Clone, Debug, Default)]
pub(super) struct Sparse {
    /// Version 1.0: the map is before the data.
    pub(super) map_is_in_data: bool,
    /// Its real name; the header then has a made-up one.
    pub(super) name: Option<Vec<u8>>,
    /// Its real size.
    pub(super) size: Option<u64>,
    /// Versions 0.0 and 0.1: the map.
    pub(super) map: Option<Vec<Fragment>>,
    /// Version 0.0 gives where a part begins and then how long it is.
    pending_offset: Option<u64>,
}

const ATTRIBUTE: &[u8] = b"SCHILY.xattr.";

impl Extended {
    /// Takes in the lines of one extended header. Later ones override earlier ones.
    pub(super) fn read(&mut self, mut text: &[u8]) -> Result<(), Problem> {
        while !text.is_empty() {
            let (key, value, rest) = line(text).ok_or(Problem::ExtendedHeader)?;
            self.set(key, value)?;
            text = rest;
        }
        Ok(())
    }

    /// What is said here, else what is said in `global`.
    pub(super) fn over(self, global: &Extended) -> Extended {
        let attributes = global.attributes.iter().chain(&self.attributes).cloned().collect();
        Extended {
            path: self.path.or_else(|| global.path.clone()),
            link: self.link.or_else(|| global.link.clone()),
            size: self.size.or(global.size),
            user: self.user.or(global.user),
            group: self.group.or(global.group),
            modified: self.modified.or(global.modified),
            accessed: self.accessed.or(global.accessed),
            attributes,
            sparse: self.sparse,
        }
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Problem> {
        if let Some(name) = key.strip_prefix(ATTRIBUTE) {
            return self.set_attribute(name, value);
        }
        if let Some(key) = key.strip_prefix(b"GNU.sparse.") {
            return self.sparse.set(key, value);
        }
        // An empty value takes back what a global header says, which a plain header then says.
        let known = !value.is_empty();
        let number = |what| decimal(value).ok_or(Problem::Number(what));
        match key {
            b"path" => self.path = known.then(|| value.to_vec()),
            b"linkpath" => self.link = known.then(|| value.to_vec()),
            b"size" => self.size = known.then(|| number("size")).transpose()?,
            b"uid" => self.user = known.then(|| number("uid")).transpose()?,
            b"gid" => self.group = known.then(|| number("gid")).transpose()?,
            b"mtime" => self.modified = known.then(|| time(value, "mtime")).transpose()?,
            b"atime" => self.accessed = known.then(|| time(value, "atime")).transpose()?,
            _ => {}
        }
        Ok(())
    }

    fn set_attribute(&mut self, name: &[u8], value: &[u8]) -> Result<(), Problem> {
        if name.is_empty() || name.contains(&0) {
            return Err(Problem::ExtendedHeader);
        }
        self.attributes.retain(|(known, _)| known != name);
        self.attributes.push((name.to_vec(), value.to_vec()));
        Ok(())
    }
}

impl Sparse {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), Problem> {
        let number = || decimal(value).ok_or(Problem::SparseMap);
        match key {
            b"major" => self.map_is_in_data = number()? == 1,
            b"name" => self.name = Some(value.to_vec()),
            b"size" | b"realsize" => self.size = Some(number()?),
            b"map" => self.map = Some(sparse::from_commas(value)?),
            b"offset" => self.pending_offset = Some(number()?),
            b"numbytes" => {
                let offset = self.pending_offset.take().ok_or(Problem::SparseMap)?;
                let map = self.map.get_or_insert_default();
                sparse::push(map, Fragment { offset, length: number()? })?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// The first line's key and value, and the rest.
fn line(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = text.iter().take(20).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&text[..space])?).ok()?;
    // The length counts itself, and the newline.
    let content = text.get(space + 1..length.checked_sub(1)?)?;
    if *text.get(length - 1)? != b'\n' {
        return None;
    }
    let equals = content.iter().position(|byte| *byte == b'=')?;
    Some((&content[..equals], &content[equals + 1..], &text[length..]))
}

/// `-1.5`: seconds with any number of decimals.
fn time(text: &[u8], what: &'static str) -> Result<Time, Problem> {
    let bad = || Problem::Number(what);
    let (negative, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let point = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
    let (whole, decimals) = digits.split_at(point);
    let decimals = decimals.strip_prefix(b".").unwrap_or_default();
    if !decimals.iter().all(u8::is_ascii_digit) {
        return Err(bad());
    }
    let digit = |place: usize| decimals.get(place).map_or(0, |digit| u32::from(digit - b'0'));
    let nanoseconds = (0..9).fold(0, |value, place| value * 10 + digit(place));
    let seconds = i64::try_from(decimal(whole).ok_or_else(bad)?).map_err(|_| bad())?;
    Ok(match (negative, nanoseconds) {
        (false, _) => Time { seconds, nanoseconds },
        (true, 0) => Time { seconds: -seconds, nanoseconds },
        (true, _) => Time { seconds: -seconds - 1, nanoseconds: 1_000_000_000 - nanoseconds },
    })
}

#[cfg(test)]
mod tests {
    use super::{Extended, time};
    use crate::tar::sparse::Fragment;
    use crate::tar::{Problem, Time};

    #[test]
    fn lines_say_how_long_they_are() {
        let mut extended = Extended::default();
        extended.read(b"12 path=a=b\n21 SCHILY.xattr.x=a\n\n22 mtime=1.0000000019\n").unwrap();
        assert_eq!(extended.path.as_deref(), Some(&b"a=b"[..]));
        assert_eq!(extended.attributes, [(b"x".to_vec(), b"a\n".to_vec())]);
        assert_eq!(extended.modified, Some(Time { seconds: 1, nanoseconds: 1 }));
    }

    #[test]
    fn damaged_lines_are_refused() {
        for text in [
            "12 path=a=b",
            "11 path=a=b\n",
            "13 path=a=b\n",
            "0 path=a\n",
            "3 \n",
            "99999999999999999999 a=b\n",
            "path=a\n",
            "9 patha=",
            "19 SCHILY.xattr.=a\n",
        ] {
            let error = Extended::default().read(text.as_bytes()).unwrap_err();
            assert_eq!(error, Problem::ExtendedHeader, "{text:?}");
        }
        let error = Extended::default().read(b"11 size=-1\n").unwrap_err();
        assert_eq!(error, Problem::Number("size"));
    }

    #[test]
    fn times_before_1970_round_down() {
        let at = |seconds, nanoseconds| Ok(Time { seconds, nanoseconds });
        assert_eq!(time(b"-1.25", ""), at(-2, 750_000_000));
        assert_eq!(time(b"-3", ""), at(-3, 0));
        assert_eq!(time(b"7.", ""), at(7, 0));
        for text in ["", ".", "1e9", "--1", "1.-5", "9223372036854775808"] {
            assert_eq!(time(text.as_bytes(), ""), Err(Problem::Number("")), "{text}");
        }
    }

    #[test]
    fn what_is_said_of_one_entry_wins() {
        let mut global = Extended::default();
        global.read(b"7 uid=\n9 uid=1\n9 gid=2\n").unwrap_err();
        global.read(b"8 uid=1\n8 gid=2\n").unwrap();
        let mut own = Extended::default();
        own.read(b"8 uid=3\n").unwrap();
        let both = own.over(&global);
        assert_eq!((both.user, both.group), (Some(3), Some(2)));
    }

    #[test]
    fn sparse_maps_of_versions_0_0_and_0_1() {
        let expected = [Fragment { offset: 0, length: 5 }, Fragment { offset: 512, length: 1 }];
        let mut extended = Extended::default();
        let text = b"23 GNU.sparse.offset=0\n25 GNU.sparse.numbytes=5\n25 GNU.sparse.offset=512\n25 GNU.sparse.numbytes=1\n";
        extended.read(text).unwrap();
        assert_eq!(extended.sparse.map.as_deref(), Some(&expected[..]));
        let mut extended = Extended::default();
        extended.read(b"28 GNU.sparse.map=0,5,512,1\n").unwrap();
        assert_eq!(extended.sparse.map.as_deref(), Some(&expected[..]));
    }
}
