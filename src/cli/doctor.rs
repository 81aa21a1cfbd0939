//! `thumbctl doctor`
pub(crate) async fn run(_c: &super::context::Context) -> Result<(), super::error::CliError> {
    Ok(())
}
