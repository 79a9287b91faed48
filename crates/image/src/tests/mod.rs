//! Tests that look at the files of a store.

mod assemble;
mod hello;
