//! Pagination of listings, which awsim returns whole and in varying order.

use awsim_core::AwsError;
use serde_json::{Value, json};

/// An operation, the lists in its response, and their sort key.
const LISTINGS: &[(&str, &[&str], &str)] = &[
    ("ListAccessKeys", &["AccessKeyMetadata"], "AccessKeyId"),
    ("ListAttachedGroupPolicies", &["AttachedPolicies"], "PolicyName"),
    ("ListAttachedRolePolicies", &["AttachedPolicies"], "PolicyName"),
    ("ListAttachedUserPolicies", &["AttachedPolicies"], "PolicyName"),
    ("ListEntitiesForPolicy", &["PolicyGroups", "PolicyRoles", "PolicyUsers"], ""),
    ("ListGroupPolicies", &["PolicyNames"], ""),
    ("ListGroupsForUser", &["Groups"], "GroupName"),
    ("ListInstanceProfilesForRole", &["InstanceProfiles"], "InstanceProfileName"),
    ("ListPolicyTags", &["Tags"], "Key"),
    ("ListPolicyVersions", &["Versions"], "VersionId"),
    ("ListRolePolicies", &["PolicyNames"], ""),
    ("ListRoleTags", &["Tags"], "Key"),
    ("ListUserPolicies", &["PolicyNames"], ""),
    ("ListUserTags", &["Tags"], "Key"),
];

/// The requested page of a listing.
pub(super) struct Page {
    lists: &'static [&'static str],
    key: &'static str,
    newest_first: bool,
    from: usize,
    most: usize,
}

impl Page {
    /// Takes the page out of an operation's input; nothing if awsim paginates that listing.
    pub(super) fn take(operation: &str, input: &mut Value) -> Result<Option<Self>, AwsError> {
        let Some((_, lists, key)) = LISTINGS.iter().find(|(listed, _, _)| *listed == operation) else {
            return Ok(None);
        };
        let input = input.as_object_mut();
        let (marker, most) = input.map_or((None, None), |input| (input.remove("Marker"), input.remove("MaxItems")));
        let from = match marker.as_ref().and_then(Value::as_str) {
            None => 0,
            Some(marker) => marker.parse().map_err(|_| {
                AwsError::bad_request("ValidationError", "Invalid Marker: it is not one that was given")
            })?,
        };
        let most = most.and_then(|most| usize::try_from(most.as_u64()?).ok()).unwrap_or(100);
        Ok(Some(Self { lists, key, newest_first: operation == "ListPolicyVersions", from, most }))
    }

    /// Reduces a response to this page.
    pub(super) fn cut(&self, response: &mut Value) {
        let (mut at, mut left) = (0, self.most);
        let mut truncated = false;
        for name in self.lists {
            let mut all = match &response[*name] {
                Value::Array(list) => list.clone(),
                wrapped => wrapped["member"].as_array().cloned().unwrap_or_default(),
            };
            all.sort_by_key(|item| self.order(item));
            if self.newest_first {
                all.reverse();
            }
            let skipped = self.from.saturating_sub(at).min(all.len());
            at += all.len();
            let taken = left.min(all.len() - skipped);
            left -= taken;
            truncated |= skipped + taken < all.len();
            let page: Vec<Value> = all.into_iter().skip(skipped).take(taken).collect();
            response[*name] = json!({ "member": page });
        }
        response["IsTruncated"] = json!(truncated);
        if truncated {
            response["Marker"] = json!((self.from + self.most).to_string());
        }
    }

    /// The sort key. Version ids sort by length first: `v10` comes after `v9`.
    fn order(&self, item: &Value) -> (usize, String) {
        let names = ["RoleName", "UserName", "GroupName"];
        let text = match item {
            Value::String(text) => text.as_str(),
            item if self.key.is_empty() => names.iter().find_map(|name| item[*name].as_str()).unwrap_or_default(),
            item => item[self.key].as_str().unwrap_or_default(),
        };
        (if self.newest_first { text.len() } else { 0 }, text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(operation: &str, mut input: Value, mut response: Value) -> Value {
        Page::take(operation, &mut input).unwrap().expect("a listing").cut(&mut response);
        response
    }

    #[test]
    fn pages_cover_the_whole_listing() {
        let all = || json!({ "PolicyNames": { "member": ["c", "a", "e", "b", "d"] } });
        let (mut marker, mut found) = (Value::Null, Vec::new());
        loop {
            let mut input = json!({ "MaxItems": 2 });
            if marker.is_string() {
                input["Marker"] = marker;
            }
            let response = page("ListRolePolicies", input, all());
            found.extend(response["PolicyNames"]["member"].as_array().unwrap().clone());
            marker = response["Marker"].clone();
            assert_eq!(response["IsTruncated"] == true, marker.is_string());
            if marker.is_null() {
                break;
            }
        }
        assert_eq!(found, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn page_spans_several_lists() {
        let all = json!({
            "PolicyGroups": { "member": [] },
            "PolicyRoles": { "member": [{ "RoleName": "b" }, { "RoleName": "a" }] },
            "PolicyUsers": { "member": [{ "UserName": "u" }] },
        });
        let first = page("ListEntitiesForPolicy", json!({ "MaxItems": 1 }), all.clone());
        assert_eq!(first["PolicyRoles"]["member"], json!([{ "RoleName": "a" }]));
        assert_eq!(first["PolicyUsers"]["member"], json!([]));
        let rest = page("ListEntitiesForPolicy", json!({ "Marker": first["Marker"] }), all);
        assert_eq!(rest["PolicyRoles"]["member"], json!([{ "RoleName": "b" }]));
        assert_eq!(rest["PolicyUsers"]["member"], json!([{ "UserName": "u" }]));
        assert_eq!(rest["IsTruncated"], false);
    }

    #[test]
    fn newest_policy_version_comes_first() {
        let all = json!({ "Versions": [{ "VersionId": "v9" }, { "VersionId": "v10" }, { "VersionId": "v8" }] });
        let response = page("ListPolicyVersions", json!({}), all);
        assert_eq!(response["Versions"]["member"][0]["VersionId"], "v10");
        assert!(Page::take("ListRolePolicies", &mut json!({ "Marker": "x" })).is_err());
        assert!(Page::take("ListRoles", &mut json!({})).unwrap().is_none());
    }
}
