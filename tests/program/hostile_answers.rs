//! Answers of an endpoint that means no good: each call ends in an error or a result, within bounds of time and memory.

mod bounds;
mod calls;
mod canned;
mod clock;
mod fuzz;
