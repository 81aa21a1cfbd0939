//! The IAM documents of `assets/policies`, with their placeholders filled.
