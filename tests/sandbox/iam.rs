//! Policies in the sandbox: enforcement, error messages, and the need for each action in `assets/policies`.

mod enforcement;
mod propagation;
mod readme_policy;
mod role_policies;
