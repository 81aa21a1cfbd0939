//! The console, in a pseudo-terminal: the real program, the real sandbox, real keys.

mod appearance;
mod lifecycle;
mod replay;
mod workflows;
