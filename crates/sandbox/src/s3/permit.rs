//! What the signer of a request may do, for what only the request's body names.

use std::sync::Arc;

use awsim_core::RequestContext;
use awsim_iam_policy::PolicyDocument;

use super::{S3Error, S3Result};
use crate::authz::access::Access;
use crate::authz::permission::RequiredPermission;

/// A caller before a bucket.
pub(crate) struct Permit {
    access: Arc<Access>,
    context: RequestContext,
    /// The bucket's own policy.
    policy: Option<PolicyDocument>,
}

impl Permit {
    pub(crate) fn new(access: Arc<Access>, context: RequestContext, policy: Option<PolicyDocument>) -> Self {
        Self { access, context, policy }
    }

    /// Refuses what neither the caller's policies nor the bucket's allow.
    pub(crate) fn check(&self, need: &RequiredPermission) -> S3Result<()> {
        self.access
            .check_with(&self.context, need, self.policy.as_ref())
            .map_err(|denied| S3Error::new(403, "AccessDenied", denied.told("\"")))
    }
}
