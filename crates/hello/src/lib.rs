//! The program `hello`, ready to be put into an image. What it does is in `main.rs`.

#![forbid(unsafe_code)]

/// A static executable for the machine that this is built for.
pub const PROGRAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hello"));

#[cfg(test)]
mod tests {
    use super::PROGRAM;

    #[test]
    fn is_a_static_program_and_small() {
        assert_eq!(&PROGRAM[..4], b"\x7fELF");
        let interpreter = b"/lib64/ld-linux";
        assert!(!PROGRAM.windows(interpreter.len()).any(|it| it == interpreter));
        assert!(PROGRAM.len() < 1_500_000, "{}", PROGRAM.len());
    }
}
