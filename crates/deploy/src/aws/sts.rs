//! STS: the caller's identity.

use aws_sdk_sts::Client;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;

use super::AwsError;
use super::operation::GetCallerIdentity;

/// Returns the caller's account and ARN. Needs no permission.
///
/// # Errors
/// When the credentials are missing, invalid or expired, or the endpoint does not respond.
pub async fn caller_identity(client: &Client) -> Result<GetCallerIdentityOutput, AwsError> {
    client.get_caller_identity().send().await.map_err(AwsError::from_sdk(GetCallerIdentity))
}
