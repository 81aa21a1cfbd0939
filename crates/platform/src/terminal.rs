//! What is written to the user's terminal. The only way to standard output and standard error is a [`TerminalText`], and the
//! only ways to make one clean what comes from outside: forgetting to do so does not compile.

mod json;
mod output;
mod text;

pub use json::json_line;
pub use output::{print, print_error};
pub use text::{Control, TerminalText, terminal_text};

// What the macro needs.
pub use text::{Cleaned, takes_positions_only};
