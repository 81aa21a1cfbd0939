//! Pages of what awsim lists in one go, whatever `MaxItems` says, and in an order that changes from one call to the next.

use awsim_core::AwsError;
use serde_json::{Value, json};

/// An operation, the lists in its answer, and what each is sorted by.
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

/// Which page of a listing is asked for.
pub(super) struct Page {
    lists: &'static [&'static str],
    key: &'static str,
    newest_first: bool,
    from: usize,
    most: usize,
}

impl Page {
    /// Takes it out of an operation's input; nothing if awsim cuts that listing itself.
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

    /// Leaves this page of an answer.
    pub(super) fn cut(&self, answer: &mut Value) {
        let (mut at, mut left) = (0, self.most);
        let mut truncated = false;
        for name in self.lists {
            let mut all = match &answer[*name] {
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
            answer[*name] = json!({ "member": page });
        }
        answer["IsTruncated"] = json!(truncated);
        if truncated {
            answer["Marker"] = json!((self.from + self.most).to_string());
        }
    }

    /// By length first where a number follows: `v10` comes after `v9`.
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

    fn page(operation: &str, mut input: Value, mut answer: Value) -> Value {
        Page::take(operation, &mut input).unwrap().expect("a listing").cut(&mut answer);
        answer
    }

    #[test]
    fn pages_follow_each_other_to_the_end() {
        let all = || json!({ "PolicyNames": { "member": ["c", "a", "e", "b", "d"] } });
        let (mut marker, mut found) = (Value::Null, Vec::new());
        loop {
            let mut input = json!({ "MaxItems": 2 });
            if marker.is_string() {
                input["Marker"] = marker;
            }
            let answer = page("ListRolePolicies", input, all());
            found.extend(answer["PolicyNames"]["member"].as_array().unwrap().clone());
            marker = answer["Marker"].clone();
            assert_eq!(answer["IsTruncated"] == true, marker.is_string());
            if marker.is_null() {
                break;
            }
        }
        assert_eq!(found, ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn one_page_goes_over_several_lists() {
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
    fn a_policy_s_newest_version_comes_first() {
        let all = json!({ "Versions": [{ "VersionId": "v9" }, { "VersionId": "v10" }, { "VersionId": "v8" }] });
        let answer = page("ListPolicyVersions", json!({}), all);
        assert_eq!(answer["Versions"]["member"][0]["VersionId"], "v10");
        assert!(Page::take("ListRolePolicies", &mut json!({ "Marker": "x" })).is_err());
        assert!(Page::take("ListRoles", &mut json!({})).unwrap().is_none());
    }
}
