//! IAM: awsim's, and what it leaves out.
//!
//! It drops the tags given at a role's or a policy's creation, cannot read those of TagRole, and never shows those that
//! a role has; it drops the permissions boundary given at a creation, and keeps one longer than its role; it takes `MaxItems` for a number where the query protocol brings text, so that pages are never cut; and it answers policy
//! documents as they are, where AWS answers them percent-encoded.

pub(crate) mod managed_policies;
mod pages;
pub(crate) mod permissions;
pub(crate) mod propagation;
mod wording;

use std::sync::Arc;

use async_trait::async_trait;
use awsim_core::{AccountRegionStore, AwsError, Protocol, RequestContext, ServiceHandler};
use awsim_iam::state::{IamState, User};
use awsim_iam::{IAM_REGION, IamService};
use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

use crate::authz::canonical::STRICT;
use crate::service_registry::ServiceRegistry;
use pages::Page;

/// The service.
pub(crate) struct Iam(IamService, Arc<ServiceRegistry>);

impl Iam {
    pub(crate) fn new(services: Arc<ServiceRegistry>) -> Self {
        Self(IamService::new(), services)
    }

    /// Users, roles and policies.
    pub(crate) fn store(&self) -> AccountRegionStore<IamState> {
        self.0.store()
    }

    /// What a call without a user's name is about: the caller, if that is a user.
    fn name_caller(&self, operation: &str, input: &mut Value, context: &RequestContext) {
        if OF_CALLER.contains(&operation)
            && input["UserName"].is_null()
            && let Some(user) = user_of_key(&self.0.store(), context.access_key.as_deref().unwrap_or_default())
        {
            input["UserName"] = user.user_name.into();
        }
    }

    /// Puts the tags on what has been made, and takes it back if they are not legal: AWS makes it with its tags or not
    /// at all.
    async fn tag_created(
        &self,
        tagged: &Tagged,
        tags: Value,
        answer: &Value,
        context: &RequestContext,
    ) -> Result<(), AwsError> {
        let name = answer[tagged.element][tagged.id].clone();
        let input = json!({ tagged.parameter: name, "Tags": tags });
        let result = self.0.handle(tagged.tag, input, context).await;
        if result.is_err() {
            let _ = self.0.handle(tagged.delete, json!({ tagged.parameter: name }), context).await;
        }
        result.map(|_| ())
    }

    /// Puts the boundary on what has been made.
    async fn bound_created(
        &self,
        tagged: &Tagged,
        boundary: Value,
        answer: &mut Value,
        context: &RequestContext,
    ) -> Result<(), AwsError> {
        let Some(bound) = tagged.bound else { return Ok(()) };
        let name = answer[tagged.element][tagged.id].clone();
        let input = json!({ tagged.parameter: name, "PermissionsBoundary": boundary });
        self.0.handle(bound, input, context).await?;
        answer[tagged.element]["PermissionsBoundary"] =
            json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary });
        Ok(())
    }

    /// Whoever gets the name next begins without a boundary.
    fn unbind_deleted(&self, operation: &str, name: &str, context: &RequestContext) {
        let state = self.0.store().get(&context.account_id, IAM_REGION);
        match operation {
            "DeleteRole" => state.role_permissions_boundaries.remove(name),
            "DeleteUser" => state.user_permissions_boundaries.remove(name),
            _ => None,
        };
    }

    async fn show_tags(&self, tagged: &Tagged, answer: &mut Value, context: &RequestContext) -> Result<(), AwsError> {
        let name = answer[tagged.element][tagged.id].clone();
        let tags = self.0.handle(tagged.list, json!({ tagged.parameter: name }), context).await?;
        answer[tagged.element]["Tags"] = tags["Tags"].clone();
        Ok(())
    }
}

/// Operations on the caller, if no user is named.
pub(crate) const OF_CALLER: [&str; 5] =
    ["GetUser", "CreateAccessKey", "ListAccessKeys", "DeleteAccessKey", "UpdateAccessKey"];

/// Whose access key this is.
pub(crate) fn user_of_key(store: &AccountRegionStore<IamState>, key: &str) -> Option<User> {
    store.iter_all().iter().find_map(|(_, state)| {
        let users = state.users.iter().map(|user| user.value().clone());
        users.into_iter().find(|user| user.access_keys.iter().any(|own| own.access_key_id == key))
    })
}

/// A kind of thing that has tags, and the operations on it.
struct Tagged {
    create: &'static str,
    get: &'static str,
    delete: &'static str,
    tag: &'static str,
    list: &'static str,
    /// Puts a permissions boundary on it, if it can have one.
    bound: Option<&'static str>,
    /// The answer's element.
    element: &'static str,
    /// What identifies it, in the answer and in a request.
    id: &'static str,
    parameter: &'static str,
}

const TAGGED: [Tagged; 3] = [
    Tagged {
        create: "CreateRole",
        get: "GetRole",
        delete: "DeleteRole",
        tag: "TagRole",
        list: "ListRoleTags",
        bound: Some("PutRolePermissionsBoundary"),
        element: "Role",
        id: "RoleName",
        parameter: "RoleName",
    },
    Tagged {
        create: "CreatePolicy",
        get: "GetPolicy",
        delete: "DeletePolicy",
        tag: "TagPolicy",
        list: "ListPolicyTags",
        bound: None,
        element: "Policy",
        id: "Arn",
        parameter: "PolicyArn",
    },
    Tagged {
        create: "CreateUser",
        get: "GetUser",
        delete: "DeleteUser",
        tag: "TagUser",
        list: "ListUserTags",
        bound: Some("PutUserPermissionsBoundary"),
        element: "User",
        id: "UserName",
        parameter: "UserName",
    },
];

#[async_trait]
impl ServiceHandler for Iam {
    fn service_name(&self) -> &str {
        self.0.service_name()
    }

    fn signing_name(&self) -> &str {
        self.0.signing_name()
    }

    fn protocol(&self) -> Protocol {
        self.0.protocol()
    }

    async fn handle(&self, operation: &str, mut input: Value, context: &RequestContext) -> Result<Value, AwsError> {
        if let Some(text) = input["MaxItems"].as_str() {
            let number: i64 = text.parse().unwrap_or_default();
            if !(1..=1000).contains(&number) {
                return Err(AwsError::bad_request(
                    "ValidationError",
                    format!(
                        "Value '{text}' at 'maxItems' failed to satisfy constraint: Member must have value between 1 and 1000"
                    ),
                ));
            }
            input["MaxItems"] = number.into();
        }
        let page = Page::take(operation, &mut input)?;
        // Its parser takes the wrapper off a list, and its tags' operations look for it.
        for name in ["Tags", "TagKeys"] {
            if let Some(list @ Value::Array(_)) = input.get(name).cloned() {
                input[name] = json!({ "member": list });
            }
        }
        let (tags, boundary) = (input.get("Tags").cloned(), input.get("PermissionsBoundary").cloned());
        self.name_caller(operation, &mut input, context);
        let asks_for_policy = matches!(operation, "GetPolicy" | "GetPolicyVersion" | "ListPolicyVersions");
        if (operation.starts_with("Attach") || asks_for_policy)
            && let Some(arn) = input["PolicyArn"].as_str()
        {
            managed_policies::provide(&self.0.store().get(&context.account_id, IAM_REGION), arn)?;
        }
        let name = ["RoleName", "UserName"].into_iter().find_map(|member| input[member].as_str()).map(str::to_owned);
        let mut answer =
            self.0.handle(operation, input, context).await.map_err(|error| wording::of_aws(operation, error))?;
        if operation == "CreateRole" {
            let id = answer["Role"]["RoleId"].as_str().unwrap_or_default();
            self.1.propagation().begin(id, self.1.latencies());
        }
        if let Some(name) = name {
            self.unbind_deleted(operation, &name, context);
        }
        if let Some(tagged) = TAGGED.iter().find(|tagged| tagged.create == operation) {
            if let Some(boundary) = boundary {
                self.bound_created(tagged, boundary, &mut answer, context).await?;
            }
            if let Some(tags) = tags {
                self.tag_created(tagged, tags, &answer, context).await?;
                self.show_tags(tagged, &mut answer, context).await?;
            }
        } else if let Some(tagged) = TAGGED.iter().find(|tagged| tagged.get == operation) {
            self.show_tags(tagged, &mut answer, context).await?;
        }
        if let Some(page) = page {
            page.cut(&mut answer);
        }
        encode_documents(&mut answer);
        Ok(answer)
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        self.0.snapshot()
    }

    fn restore(&self, data: &[u8]) -> Result<(), String> {
        self.0.restore(data)
    }
}

fn encode_documents(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(encode_documents),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text)
                        if matches!(name.as_str(), "AssumeRolePolicyDocument" | "PolicyDocument" | "Document") =>
                    {
                        *text = utf8_percent_encode(text, STRICT).to_string();
                    }
                    _ => encode_documents(value),
                }
            }
        }
        _ => {}
    }
}
