//! What to do about an error of AWS: the advice beside the error.

use super::error::{AwsError, ErrorKind};
use super::operation::required_action;

impl AwsError {
    /// What to do about it, if there is something: one or two sentences.
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
                "Set this machine's clock, then run the same command again: signatures hold the time.".to_owned()
            }
            ErrorKind::Oversized => "Is the endpoint right? No AWS service sends that much.".to_owned(),
            // Certificates are only valid at their time.
            ErrorKind::Network if text.contains("notvalidyet") || text.contains("not valid yet") => {
                "Set this machine's clock, then run the same command again.".to_owned()
            }
            ErrorKind::Network => "Is the endpoint right, and is something listening there? On AWS: is this machine \
                 online, and is the region's name right?"
                .to_owned(),
            ErrorKind::Timeout => "The service or the network is slow; the same command can be run again and goes on \
                 where it stopped."
                .to_owned(),
            ErrorKind::Throttled => {
                "AWS asks for fewer requests: try again in a minute, or with --parallelism 1.".to_owned()
            }
            // Only the sandbox tells of its disk, which is this machine's.
            ErrorKind::Server if text.contains("no space left") => {
                "This machine's disk is full: make room, then run the same command again.".to_owned()
            }
            ErrorKind::Server => {
                "AWS failed on its side: try again, and look at https://health.aws.amazon.com/ if it lasts.".to_owned()
            }
            ErrorKind::RoleNotReady => {
                "The role still cannot be assumed: does it exist, and does its trust policy name the \
                 service? If it was created just now, try again in a minute."
                    .to_owned()
            }
            ErrorKind::AlreadyExists if self.has_code("BucketAlreadyExists") => {
                "Bucket names are shared by all of AWS, and this one belongs to someone else: choose \
                 another --name."
                    .to_owned()
            }
            ErrorKind::File => {
                "Is the path right, may it be read and written, and is there room on the disk?".to_owned()
            }
            _ => return self.particular_hint(&text),
        })
    }

    fn limit_hint(&self, text: &str) -> String {
        match self.service {
            // Common on new accounts: "Cannot have more than 0 builds in queue for the account".
            "CodeBuild" if text.contains("0 builds") => {
                "New AWS accounts often may not run builds at all yet: ask AWS support to raise \
                 CodeBuild's concurrently running builds, or try another region or compute type."
                    .to_owned()
            }
            "CodeBuild" => "The account's builds are used up: wait until others have ended, or ask for more in \
                 the Service Quotas console (CodeBuild, concurrently running builds)."
                .to_owned(),
            "Lambda" if text.contains("memorysize") => {
                "New AWS accounts are held to less memory for functions: set a smaller function memory, \
                 or ask AWS support to raise it."
                    .to_owned()
            }
            "Lambda" => "The account's Lambda limits do not allow it: delete functions that are not used, or ask \
                 for more in the Service Quotas console (AWS Lambda)."
                .to_owned(),
            "S3" => "The account has as many buckets as it may: delete some, or ask for more in the Service \
                 Quotas console (Amazon S3)."
                .to_owned(),
            service => format!(
                "The account's limits for {service} do not allow it: delete what is not used, or ask \
                 for more in the Service Quotas console."
            ),
        }
    }

    fn denied_hint(&self, text: &str) -> String {
        if self.has_code("OptInRequired") || self.has_code("SubscriptionRequiredException") {
            return format!("This account has not signed up for {}, or is not fully activated yet.", self.service);
        }
        if self.has_code("AccountSuspendedException") {
            return "The account is suspended: see AWS's mails to its owner, or ask AWS support.".to_owned();
        }
        let action = denied_action(&self.message).or_else(|| required_action(self.service, self.operation));
        let missing = action.map_or_else(String::new, |action| format!("{action} is missing. "));
        if text.contains("explicit deny") {
            return format!(
                "{missing}A policy denies it explicitly: a service control policy, a permissions \
                 boundary or a session policy; ask who runs the account."
            );
        }
        format!("{missing}The README has a policy with all that is needed, to be attached to your user or role.")
    }

    fn credentials_hint(&self) -> String {
        if self.code.is_none() {
            return "Log in (`aws configure`, `aws sso login`), name a profile with --profile, or export \
                    AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
                .to_owned();
        }
        "AWS does not know these credentials: check the profile or the exported keys, and \
         AWS_SESSION_TOKEN, which temporary ones need."
            .to_owned()
    }

    fn particular_hint(&self, text: &str) -> Option<String> {
        if super::s3::destination_not_validated(self) {
            return Some(
                "S3 may not invoke the function: its invoke permission has to name this bucket and account.".to_owned(),
            );
        }
        if text.contains("does not have permission to access the ecr image") || text.contains("imageaccessdenied") {
            return Some(
                "Lambda adds itself to the repository's policy, if the caller may: \
                 ecr:GetRepositoryPolicy and ecr:SetRepositoryPolicy are needed."
                    .to_owned(),
            );
        }
        // To a HEAD, S3 says "elsewhere" with a status alone.
        if self.service == "S3" && text.contains("http 301") {
            return Some("The bucket is in another region: name it with --region.".to_owned());
        }
        match self.code.as_deref()? {
            "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
                Some("The bucket is in another region: name it with --region.".to_owned())
            }
            "OperationAborted" | "ConcurrentModification" => {
                Some("Something else is working on the same resource: try again in a minute.".to_owned())
            }
            "BucketNotEmpty" => Some("Something is still writing to the bucket: run destroy again.".to_owned()),
            "DeleteConflict" => Some("Somebody else uses it: detach it there, then run destroy again.".to_owned()),
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
    fn a_denied_call_names_the_missing_permission() {
        let hint = denied("User: arn:aws:iam::1:user/u is not authorized to perform: iam:PassRole on resource: r");
        assert!(hint.hint().unwrap().starts_with("iam:PassRole is missing."));
        // S3 says "Access Denied" and no more.
        let hint = AwsError::new("S3", "HeadBucket", ErrorKind::Denied, "Access Denied").hint();
        assert!(hint.unwrap().starts_with("s3:ListBucket is missing."));
    }

    #[test]
    fn an_explicit_deny_is_not_mended_by_another_policy() {
        let hint = denied("not authorized to perform: s3:X with an explicit deny in a policy");
        assert!(hint.hint().unwrap().contains("ask who runs the account"));
    }

    #[test]
    fn a_new_accounts_limits_come_with_what_to_do() {
        let error = AwsError::new(
            "CodeBuild",
            "StartBuild",
            ErrorKind::LimitExceeded,
            "Cannot have more than 0 builds in queue for the account",
        );
        assert!(error.hint().unwrap().contains("ask AWS support"));
    }

    #[test]
    fn expired_credentials_are_answered_by_logging_in_again() {
        let error = AwsError::new("STS", "GetCallerIdentity", ErrorKind::ExpiredCredentials, "");
        assert!(error.hint().unwrap().contains("aws sso login"));
    }

    #[test]
    fn a_full_disk_in_the_sandbox_is_not_awss_fault() {
        let error = AwsError::new("S3", "PutObject", ErrorKind::Server, "No space left on device (os error 28)");
        assert!(error.hint().unwrap().contains("make room"));
    }

    #[test]
    fn what_nobody_can_help_has_no_hint() {
        assert_eq!(AwsError::new("S3", "GetObject", ErrorKind::Other, "odd").hint(), None);
    }
}
