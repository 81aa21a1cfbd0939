//! IAM: awsim's service with corrections.
//!
//! awsim ignores tags and permissions boundaries on creation, does not return tags, keeps a boundary after its role is
//! deleted, does not parse `MaxItems` from the query protocol, and returns policy documents without percent-encoding.

mod error_messages;
pub(crate) mod managed_policies;
mod operations;
mod pages;
mod permissions;
pub(crate) mod propagation;

use std::sync::Arc;

use awsim_core::{AccountRegionStore, AwsError, Protocol, RequestContext, ServiceHandler};
use awsim_iam::state::{IamState, User};
use awsim_iam::{IAM_REGION, IamService};
use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

use crate::authz::canonical::STRICT;
use crate::operation::{ApiCall, ApiResult, Operation, Service};
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

    /// Handles an operation by awsim's service, with the corrections.
    async fn forward(&self, ApiCall { operation, input, context }: ApiCall<'_>) -> ApiResult {
        let mut input = input.clone();
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
        // awsim's parser removes the `member` wrapper that its tag operations expect.
        for name in ["Tags", "TagKeys"] {
            if let Some(list @ Value::Array(_)) = input.get(name).cloned() {
                input[name] = json!({ "member": list });
            }
        }
        let (tags, boundary) = (input.get("Tags").cloned(), input.get("PermissionsBoundary").cloned());
        self.name_caller(operation, &mut input, context);
        let reads_policy = matches!(operation, "GetPolicy" | "GetPolicyVersion" | "ListPolicyVersions");
        if (operation.starts_with("Attach") || reads_policy)
            && let Some(arn) = input["PolicyArn"].as_str()
        {
            managed_policies::provide(&self.0.store().get(&context.account_id, IAM_REGION), arn)?;
        }
        let name = ["RoleName", "UserName"].into_iter().find_map(|member| input[member].as_str()).map(str::to_owned);
        let mut response = self
            .0
            .handle(operation, input, context)
            .await
            .map_err(|error| error_messages::aws_error(operation, error))?;
        if operation == "CreateRole" {
            let id = response["Role"]["RoleId"].as_str().unwrap_or_default();
            self.1.propagation().begin(id, self.1.latencies());
        }
        if let Some(name) = name {
            self.remove_boundary(operation, &name, context);
        }
        if let Some(tagged) = TAGGED.iter().find(|tagged| tagged.create == operation) {
            if let Some(boundary) = boundary {
                self.set_boundary(tagged, boundary, &mut response, context).await?;
            }
            if let Some(tags) = tags {
                self.tag_created(tagged, tags, &response, context).await?;
                self.show_tags(tagged, &mut response, context).await?;
            }
        } else if let Some(tagged) = TAGGED.iter().find(|tagged| tagged.get == operation) {
            self.show_tags(tagged, &mut response, context).await?;
        }
        if let Some(page) = page {
            page.cut(&mut response);
        }
        encode_documents(&mut response);
        Ok(response)
    }

    /// Fills in the caller's user name if the call has none.
    fn name_caller(&self, operation: &str, input: &mut Value, context: &RequestContext) {
        if OF_CALLER.contains(&operation)
            && input["UserName"].is_null()
            && let Some(user) = user_of_key(&self.0.store(), context.access_key.as_deref().unwrap_or_default())
        {
            input["UserName"] = user.user_name.into();
        }
    }

    /// Tags a created entity, or deletes it if the tags are invalid, as creation with tags is atomic on AWS.
    async fn tag_created(
        &self,
        tagged: &TaggedKind,
        tags: Value,
        response: &Value,
        context: &RequestContext,
    ) -> Result<(), AwsError> {
        let name = response[tagged.element][tagged.id].clone();
        let input = json!({ tagged.parameter: name, "Tags": tags });
        let result = self.0.handle(tagged.tag, input, context).await;
        if result.is_err() {
            let _ = self.0.handle(tagged.delete, json!({ tagged.parameter: name }), context).await;
        }
        result.map(|_| ())
    }

    /// Sets the permissions boundary of a created entity.
    async fn set_boundary(
        &self,
        tagged: &TaggedKind,
        boundary: Value,
        response: &mut Value,
        context: &RequestContext,
    ) -> Result<(), AwsError> {
        let Some(bound) = tagged.bound else { return Ok(()) };
        let name = response[tagged.element][tagged.id].clone();
        let input = json!({ tagged.parameter: name, "PermissionsBoundary": boundary });
        self.0.handle(bound, input, context).await?;
        response[tagged.element]["PermissionsBoundary"] =
            json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary });
        Ok(())
    }

    /// Removes the boundary of a deleted entity, so that a new one of the same name has none.
    fn remove_boundary(&self, operation: &str, name: &str, context: &RequestContext) {
        let state = self.0.store().get(&context.account_id, IAM_REGION);
        match operation {
            "DeleteRole" => state.role_permissions_boundaries.remove(name),
            "DeleteUser" => state.user_permissions_boundaries.remove(name),
            _ => None,
        };
    }

    async fn show_tags(
        &self,
        tagged: &TaggedKind,
        response: &mut Value,
        context: &RequestContext,
    ) -> Result<(), AwsError> {
        let name = response[tagged.element][tagged.id].clone();
        let tags = self.0.handle(tagged.list, json!({ tagged.parameter: name }), context).await?;
        response[tagged.element]["Tags"] = tags["Tags"].clone();
        Ok(())
    }
}

/// Operations on the caller if no user is named.
const OF_CALLER: [&str; 5] = ["GetUser", "CreateAccessKey", "ListAccessKeys", "DeleteAccessKey", "UpdateAccessKey"];

/// The user of an access key.
fn user_of_key(store: &AccountRegionStore<IamState>, key: &str) -> Option<User> {
    store.iter_all().iter().find_map(|(_, state)| {
        let users = state.users.iter().map(|user| user.value().clone());
        users.into_iter().find(|user| user.access_keys.iter().any(|own| own.access_key_id == key))
    })
}

/// A kind of taggable entity and its operations.
struct TaggedKind {
    create: &'static str,
    get: &'static str,
    delete: &'static str,
    tag: &'static str,
    list: &'static str,
    /// The operation that sets a permissions boundary, if any.
    bound: Option<&'static str>,
    /// The element in the response.
    element: &'static str,
    /// The identifier in the response.
    id: &'static str,
    parameter: &'static str,
}

const TAGGED: [TaggedKind; 3] = [
    TaggedKind {
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
    TaggedKind {
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
    TaggedKind {
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

impl Service for Iam {
    const NAME: &'static str = "iam";
    const PROTOCOL: Protocol = Protocol::AwsQuery;
    const REFERENCE: &'static str = "https://docs.aws.amazon.com/IAM/latest/APIReference/";
    const OPERATIONS: &'static [Operation<Self>] = operations::OPERATIONS;

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
