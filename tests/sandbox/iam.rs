//! Policies in the sandbox: who is refused what, in which words, and that those of `assets/policies` hold no action
//! without its reason.

mod enforcement;
mod propagation;
mod role_policies;
mod sufficient;
