//! The access fence, the core's half.

mod wake;

pub use wake::Wake;
