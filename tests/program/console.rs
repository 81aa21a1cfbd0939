//! The console in a pseudo-terminal, with the real program and sandbox.

mod appearance;
mod lifecycle;
mod replay;
mod workflows;
