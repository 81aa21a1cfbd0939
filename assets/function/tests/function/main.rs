//! Tests of the function as a library and as a process.

mod handler;
mod image_compare;
mod pillow;
mod process;
mod support;
mod thumbnail;
