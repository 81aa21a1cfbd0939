//! The console, in a pseudo-terminal: the real program, the real sandbox, real keys.

mod life;
mod looks;
mod loops;
mod recordings;
