//! The sandbox with other programs.

mod macros;
mod shipped_templates;
mod terraform_policy;
mod user_policy;

use thumbctl_test_support::foreign::ForeignTest;

pub(crate) fn tests() -> Vec<ForeignTest> {
    [macros::tests(), shipped_templates::tests(), terraform_policy::tests(), user_policy::tests()]
        .into_iter()
        .flatten()
        .collect()
}
