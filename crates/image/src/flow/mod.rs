//! Bytes that go from thread to thread: read and hashed by one, inflated by a second, hashed again
//! by a third, and unpacked by a fourth, each at its own speed and all within fixed memory.

mod inflate;
mod layer;
mod pipe;
mod pool;
mod turns;
mod xz;
mod zstd;

pub use inflate::{Compression, Inflate};
pub use layer::{Flow, Limits, Passed, Stopped, pass};
pub use pipe::PipeReader;
pub use turns::Turns;
pub use xz::Xz;
pub use zstd::Zstd;
