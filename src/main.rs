//! The program: parses the command line, chooses a front end, turns errors into exit codes.
fn main() {}
