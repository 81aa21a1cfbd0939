//! Hints for AWS errors.

use super::error::{AwsError, ErrorKind};
use super::operation::required_action;

impl AwsError {
    /// Returns what to do about it, if there is something: one or two sentences.
    pub fn hint(&self) -> Option<String> {
        let text = self.message.to_lowercase();
        Some(match self.kind {
            ErrorKind::LimitExceeded => self.limit_hint(&text),
            ErrorKind::Denied => self.denied_hint(&text),
            ErrorKind::ExpiredCredentials => {
                "Log in again (`aws sso login`, with --profile if you use one), or export fresh credentials.".to_owned()
            }
            ErrorKind::InvalidCredentials => self.credentials_hint(),
            ErrorKind::ClockSkewed => {
                "Set this machine's clock, then run the same command again: signatures include the time.".to_owned()
            }
            ErrorKind::Oversized => "Check the endpoint: no AWS service sends that much.".to_owned(),
            // Certificates have a validity period.
            ErrorKind::Network if text.contains("notvalidyet") || text.contains("not valid yet") => {
                "Set this machine's clock, then run the same command again.".to_owned()
            }
            ErrorKind::Network => "Check the endpoint URL and its server. On AWS: check the network and the \
                 region's name."
                .to_owned(),
            ErrorKind::Timeout => {
                "The service or the network is slow: run the same command again to resume.".to_owned()
            }
            ErrorKind::Throttled => "Too many requests: retry in a minute, or with --parallelism 1.".to_owned(),
            // Only the sandbox reports its disk, which is this machine's.
            ErrorKind::Server if text.contains("no space left") => {
                "This machine's disk is full: free some space, then run the same command again.".to_owned()
            }
            ErrorKind::Server => {
                "An error in AWS: retry, and check https://health.aws.amazon.com/ if it persists.".to_owned()
            }
            ErrorKind::RoleNotReady => {
                "The role cannot be assumed: check that it exists and that its trust policy names the \
                 service. If it is new, retry in a minute."
                    .to_owned()
            }
            ErrorKind::AlreadyExists if self.has_code("BucketAlreadyExists") => {
                "Bucket names are global in AWS, and this one has another owner: use \
                 another --name."
                    .to_owned()
            }
            ErrorKind::File => "Check the path, its permissions and the free disk space.".to_owned(),
            _ => return self.particular_hint(&text),
        })
    }

    fn limit_hint(&self, text: &str) -> String {
        match self.service {
            // Common on new accounts: "Cannot have more than 0 builds in queue for the account".
            "CodeBuild" if text.contains("0 builds") => {
                "New AWS accounts often cannot run builds: ask AWS support to raise \
                 CodeBuild's concurrently running builds, or try another region or compute type."
                    .to_owned()
            }
            "CodeBuild" => "The account's build quota is used up: wait for other builds, or request more in \
                 the Service Quotas console (CodeBuild, concurrently running builds)."
                .to_owned(),
            "Lambda" if text.contains("memorysize") => {
                "New AWS accounts have a lower memory limit: set a smaller function memory, \
                 or ask AWS support to raise it."
                    .to_owned()
            }
            "Lambda" => "The account's Lambda quota is used up: delete unused functions, or request \
                 more in the Service Quotas console (AWS Lambda)."
                .to_owned(),
            "S3" => "The account's bucket quota is used up: delete some, or request more in the Service \
                 Quotas console (Amazon S3)."
                .to_owned(),
            service => format!(
                "The account's quota for {service} is used up: delete unused resources, or request \
                 more in the Service Quotas console."
            ),
        }
    }

    fn denied_hint(&self, text: &str) -> String {
        if self.has_code("OptInRequired") || self.has_code("SubscriptionRequiredException") {
            return format!("This account has not signed up for {}, or is not fully activated yet.", self.service);
        }
        if self.has_code("AccountSuspendedException") {
            return "The account is suspended: see AWS's e-mails to its owner, or ask AWS support.".to_owned();
        }
        let action = denied_action(&self.message).or_else(|| required_action(self.service, self.operation));
        let missing = action.map_or_else(String::new, |action| format!("{action} is missing. "));
        if text.contains("explicit deny") {
            return format!(
                "{missing}A policy denies it explicitly: a service control policy, a permissions \
                 boundary or a session policy; ask the account's administrator."
            );
        }
        format!("{missing}Attach the user policy in the README to your user or role.")
    }

    fn credentials_hint(&self) -> String {
        if self.code.is_none() {
            return "Log in (`aws configure`, `aws sso login`), select a profile with --profile, or export \
                    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
                .to_owned();
        }
        "AWS rejects these credentials: check the profile or the exported keys, and \
         AWS_SESSION_TOKEN, which temporary ones need."
            .to_owned()
    }

    fn particular_hint(&self, text: &str) -> Option<String> {
        if super::s3::destination_not_validated(self) {
            return Some(
                "S3 cannot invoke the function: its invoke permission must name this bucket and account.".to_owned(),
            );
        }
        if text.contains("does not have permission to access the ecr image") || text.contains("imageaccessdenied") {
            return Some(
                "Lambda adds itself to the repository's policy; the caller needs \
                 ecr:GetRepositoryPolicy and ecr:SetRepositoryPolicy."
                    .to_owned(),
            );
        }
        // S3's response to a HEAD has only the status.
        if self.service == "S3" && text.contains("http 301") {
            return Some("The bucket is in another region: set it with --region.".to_owned());
        }
        match self.code.as_deref()? {
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                Some("The bucket is in another region: set it with --region.".to_owned())
            }
            "OperationAborted" | "ConcurrentModification" => {
                Some("Another operation on the resource is in progress: retry in a minute.".to_owned())
            }
            "BucketNotEmpty" => Some("The bucket is still being written to: run destroy again.".to_owned()),
            "DeleteConflict" => {
                Some("It is still in use elsewhere: detach it there, then run destroy again.".to_owned())
            }
            _ => None,
        }
    }
}

/// The action in "… is not authorized to perform: s3:CreateBucket on resource: …".
fn denied_action(message: &str) -> Option<&str> {
    let (_, after) = message.split_once("not authorized to perform: ")?;
    let action = after.split_whitespace().next()?;
    action.contains(':').then_some(action)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(message: &str) -> AwsError {
        AwsError::new("Lambda", "CreateFunction", ErrorKind::Denied, message)
    }

    #[test]
    fn denied_call_names_the_missing_permission() {
        let hint = denied("User: arn:aws:iam::1:user/u is not authorized to perform: iam:PassRole on resource: r");
        assert!(hint.hint().unwrap().starts_with("iam:PassRole is missing."));
        // S3's message is only "Access Denied".
        let hint = AwsError::new("S3", "HeadBucket", ErrorKind::Denied, "Access Denied").hint();
        assert!(hint.unwrap().starts_with("s3:ListBucket is missing."));
    }

    #[test]
    fn explicit_deny_refers_to_the_administrator() {
        let hint = denied("not authorized to perform: s3:X with an explicit deny in a policy");
        assert!(hint.hint().unwrap().contains("ask the account's administrator"));
    }

    #[test]
    fn new_accounts_quota_has_a_hint() {
        let error = AwsError::new(
            "CodeBuild",
            "StartBuild",
            ErrorKind::LimitExceeded,
            "Cannot have more than 0 builds in queue for the account",
        );
        assert!(error.hint().unwrap().contains("ask AWS support"));
    }

    #[test]
    fn hint_for_expired_credentials_names_login() {
        let error = AwsError::new("STS", "GetCallerIdentity", ErrorKind::ExpiredCredentials, "");
        assert!(error.hint().unwrap().contains("aws sso login"));
    }

    #[test]
    fn full_disk_of_the_sandbox_has_its_own_hint() {
        let error = AwsError::new("S3", "PutObject", ErrorKind::Server, "No space left on device (os error 28)");
        assert!(error.hint().unwrap().contains("disk is full"));
    }

    #[test]
    fn unknown_error_has_no_hint() {
        assert_eq!(AwsError::new("S3", "GetObject", ErrorKind::Other, "odd").hint(), None);
    }
}
