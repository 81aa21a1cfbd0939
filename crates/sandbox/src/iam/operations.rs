//! IAM's operations: the table of those that awsim handles and this architecture's tools use.

use super::Iam;
use super::permissions::{
    arn, attaching, creating, group, of_all, of_caller, of_group, of_policy, of_role, of_user, on, role, user,
};
use crate::authz::permission::text;
use crate::latency::CallLatency;
use crate::operation::Handler::Async;
use crate::operation::{Operation, Requirements, boxed};

const fn read(name: &'static str, requires: Requirements) -> Operation<Iam> {
    Operation::read(name, CallLatency::IAM_READ, requires, boxed!(forward))
}

const fn write(name: &'static str, requires: Requirements) -> Operation<Iam> {
    Operation::write(name, CallLatency::IAM_WRITE, requires, boxed!(forward))
}

/// The operations by what they are about.
pub(super) const OPERATIONS: &[Operation<Iam>] = &[
    write("CreateUser", |call, iam| creating(call, &user(call, iam), "iam:TagUser")),
    read("GetUser", of_caller),
    write("UpdateUser", of_user),
    write("DeleteUser", of_user),
    read("ListUsers", |call, _| on(call, &arn(call, "user", ""))),
    write("CreateAccessKey", of_caller),
    write("UpdateAccessKey", of_caller),
    write("DeleteAccessKey", of_caller),
    read("ListAccessKeys", of_caller),
    read("GetAccessKeyLastUsed", of_user),
    write("CreateLoginProfile", of_user),
    write("UpdateLoginProfile", of_user),
    write("DeleteLoginProfile", of_user),
    read("GetLoginProfile", of_user),
    write("TagUser", of_user),
    write("UntagUser", of_user),
    read("ListUserTags", of_user),
    read("ListGroupsForUser", of_user),
    write("AttachUserPolicy", |call, iam| attaching(call, &user(call, iam))),
    write("DetachUserPolicy", |call, iam| attaching(call, &user(call, iam))),
    read("ListAttachedUserPolicies", of_user),
    write("PutUserPolicy", of_user),
    write("DeleteUserPolicy", of_user),
    read("GetUserPolicy", of_user),
    read("ListUserPolicies", of_user),
    write("PutUserPermissionsBoundary", of_user),
    write("DeleteUserPermissionsBoundary", of_user),
    // What tools look for before they delete a user.
    read("ListMFADevices", of_user),
    read("ListSSHPublicKeys", of_user),
    read("ListSigningCertificates", of_user),
    read("ListServiceSpecificCredentials", of_user),
    read("ListVirtualMFADevices", of_all),
    write("CreateGroup", of_group),
    write("UpdateGroup", of_group),
    write("DeleteGroup", of_group),
    read("GetGroup", of_group),
    read("ListGroups", |call, _| on(call, &arn(call, "group", ""))),
    write("AddUserToGroup", of_group),
    write("RemoveUserFromGroup", of_group),
    write("AttachGroupPolicy", |call, iam| attaching(call, &group(call, iam))),
    write("DetachGroupPolicy", |call, iam| attaching(call, &group(call, iam))),
    read("ListAttachedGroupPolicies", of_group),
    write("PutGroupPolicy", of_group),
    write("DeleteGroupPolicy", of_group),
    read("GetGroupPolicy", of_group),
    read("ListGroupPolicies", of_group),
    write("CreateRole", |call, iam| creating(call, &role(call, iam), "iam:TagRole")),
    read("GetRole", of_role),
    write("UpdateRole", of_role),
    write("UpdateRoleDescription", of_role),
    write("UpdateAssumeRolePolicy", of_role),
    write("DeleteRole", of_role),
    read("ListRoles", |call, _| on(call, &arn(call, "role", ""))),
    write("TagRole", of_role),
    write("UntagRole", of_role),
    read("ListRoleTags", of_role),
    write("AttachRolePolicy", |call, iam| attaching(call, &role(call, iam))),
    write("DetachRolePolicy", |call, iam| attaching(call, &role(call, iam))),
    read("ListAttachedRolePolicies", of_role),
    write("PutRolePolicy", of_role),
    write("DeleteRolePolicy", of_role),
    read("GetRolePolicy", of_role),
    read("ListRolePolicies", of_role),
    write("PutRolePermissionsBoundary", of_role),
    write("DeleteRolePermissionsBoundary", of_role),
    read("ListInstanceProfilesForRole", of_role),
    write("CreatePolicy", |call, _| {
        let name = text(call.input, "PolicyName");
        creating(call, &name.map_or_else(|| "*".to_owned(), |name| arn(call, "policy", name)), "iam:TagPolicy")
    }),
    read("GetPolicy", of_policy),
    write("DeletePolicy", of_policy),
    read("ListPolicies", of_all),
    write("CreatePolicyVersion", of_policy),
    write("SetDefaultPolicyVersion", of_policy),
    write("DeletePolicyVersion", of_policy),
    read("GetPolicyVersion", of_policy),
    read("ListPolicyVersions", of_policy),
    read("ListEntitiesForPolicy", of_policy),
    write("TagPolicy", of_policy),
    write("UntagPolicy", of_policy),
    read("ListPolicyTags", of_policy),
    read("SimulateCustomPolicy", of_all),
    read("SimulatePrincipalPolicy", of_all),
    read("GetContextKeysForCustomPolicy", of_all),
    read("GetContextKeysForPrincipalPolicy", of_all),
    write("CreateInstanceProfile", of_all),
    write("DeleteInstanceProfile", of_all),
    read("GetInstanceProfile", of_all),
    read("ListInstanceProfiles", of_all),
    write("AddRoleToInstanceProfile", of_role),
    write("RemoveRoleFromInstanceProfile", of_role),
    write("TagInstanceProfile", of_all),
    write("UntagInstanceProfile", of_all),
    read("ListInstanceProfileTags", of_all),
    write("CreateAccountAlias", of_all),
    write("DeleteAccountAlias", of_all),
    read("ListAccountAliases", of_all),
    read("GetAccountSummary", of_all),
    read("GetAccountAuthorizationDetails", of_all),
    read("GetAccountPasswordPolicy", of_all),
    write("UpdateAccountPasswordPolicy", of_all),
    write("DeleteAccountPasswordPolicy", of_all),
];
