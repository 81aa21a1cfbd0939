//! A console for one small AWS architecture, in the terminal.

pub mod sandbox;
