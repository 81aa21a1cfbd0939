//! [`Authorizer`]: checks the signer's permissions, also on keys named in the body.

use std::sync::Arc;

use awsim_core::RequestContext;
use awsim_iam_policy::PolicyDocument;
use http::request::Parts;

use super::{S3, S3Error, S3Result, Target};
use crate::authz::access_control::AccessControl;
use crate::authz::permission::RequiredPermission;

/// The permissions of a caller on a bucket.
pub(crate) struct Authorizer {
    access: Arc<AccessControl>,
    context: RequestContext,
    /// The bucket's own policy.
    policy: Option<PolicyDocument>,
}

impl Authorizer {
    pub(super) fn new(access: Arc<AccessControl>, context: RequestContext, policy: Option<PolicyDocument>) -> Self {
        Self { access, context, policy }
    }

    /// Checks a permission against the policies of the caller and of the bucket.
    pub(super) fn check(&self, permission: &RequiredPermission) -> S3Result<()> {
        self.check_with(permission, self.policy.as_ref())
    }

    fn check_with(&self, permission: &RequiredPermission, policy: Option<&PolicyDocument>) -> S3Result<()> {
        self.access
            .check_with(&self.context, permission, policy)
            .map_err(|denied| S3Error::new(403, "AccessDenied", denied.message("\"")))
    }
}

impl S3 {
    /// Checks the permissions that a request requires by its head.
    pub(crate) fn authorize(
        &self,
        access: &Arc<AccessControl>,
        context: RequestContext,
        target: &Target,
        parts: &Parts,
    ) -> S3Result<Authorizer> {
        let authorizer = Authorizer::new(access.clone(), context, self.policy(&target.bucket));
        for permission in target.operation.required_permissions(target, parts) {
            match permission.bucket() {
                // The source bucket's policy decides on a copy's source.
                Some(bucket) if bucket != target.bucket => {
                    authorizer.check_with(&permission, self.policy(bucket).as_ref())?;
                }
                _ => authorizer.check(&permission)?,
            }
        }
        Ok(authorizer)
    }
}
