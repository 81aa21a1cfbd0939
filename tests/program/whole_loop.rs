//! The whole loop: deployed, tried, and taken down again, by the real program in the real sandbox.

#[path = "../../assets/function/tests/function/image_compare.rs"]
mod compare;

mod builds;
mod images;
mod load;
mod loops;
mod purge;
mod together;
