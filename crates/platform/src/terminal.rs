//! Output to the user's terminal. Only a [`TerminalText`] can be written to standard output and standard error, and all its
//! constructors clean external text, so that unclean output does not compile.

mod json;
mod output;
mod text;

pub use json::json_line;
pub use output::{print, print_error};
pub use text::{Control, TerminalText, terminal_text};

// Used by the macro.
pub use text::{Cleaned, takes_positions_only};
