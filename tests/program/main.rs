//! The real program, driven from outside: its commands, its console, and whatever may happen to them.

mod bad_input;
mod cli_usage;
mod console;
mod faults;
mod hostile_answers;
mod inspect;
mod killed;
mod log_file;
mod readme;
mod sandbox_process;
mod sandbox_protocol;
mod sandbox_state;
mod saved_state_safety;
mod under_load;
mod whole_loop;
