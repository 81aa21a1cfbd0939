//! STS: who calls.

use aws_sdk_sts::Client;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;

use super::AwsError;
use super::operation::GetCallerIdentity;

/// The account and the ARN that calls are made as. Nobody needs a permission to ask.
///
/// # Errors
/// When the credentials are missing, wrong or expired, or nothing answers.
pub async fn caller_identity(client: &Client) -> Result<GetCallerIdentityOutput, AwsError> {
    client.get_caller_identity().send().await.map_err(AwsError::from_sdk(GetCallerIdentity))
}
