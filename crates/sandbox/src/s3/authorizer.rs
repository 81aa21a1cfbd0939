//! [`Authorizer`]: checks the signer's permissions, also on keys named in the body.

use std::sync::Arc;

use awsim_core::RequestContext;
use awsim_iam_policy::PolicyDocument;

use super::{S3Error, S3Result};
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
    pub(crate) fn new(access: Arc<AccessControl>, context: RequestContext, policy: Option<PolicyDocument>) -> Self {
        Self { access, context, policy }
    }

    /// Checks a permission against the policies of the caller and of the bucket.
    pub(crate) fn check(&self, permission: &RequiredPermission) -> S3Result<()> {
        self.access
            .check_with(&self.context, permission, self.policy.as_ref())
            .map_err(|denied| S3Error::new(403, "AccessDenied", denied.message("\"")))
    }
}
