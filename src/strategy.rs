//! The strategies: each says how to deploy and how to destroy, as a plan and as somebody who does its steps.

pub mod sdk;
