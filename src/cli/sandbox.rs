//! `thumbctl sandbox`

use super::args::SandboxArgs;
use super::context::Context;
use super::error::CliError;

/// stub
pub(crate) async fn run(_context: &Context, _args: SandboxArgs) -> Result<(), CliError> {
    Err(CliError::failed("not there yet"))
}
