//! Policies in the sandbox: enforcement, error messages, and the need for each action in `assets/policies`.

mod enforcement;
mod propagation;
mod role_policies;
mod sufficient;
