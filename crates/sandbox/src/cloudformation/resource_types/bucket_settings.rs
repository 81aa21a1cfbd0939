//! Converts a bucket's properties to S3's documents.

use serde_json::Value;

use super::shape::text;
use crate::s3::escape;

/// The document to create a bucket: with its region outside of us-east-1 only.
pub(super) fn location(region: &str) -> String {
    match region {
        "us-east-1" => String::new(),
        region => element("CreateBucketConfiguration", &element("LocationConstraint", region)),
    }
}

/// `BlockPublicAcls` and the like; unset ones are false.
pub(super) fn public_access_block(value: &Value) -> String {
    let members = ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
    let inside: String =
        members.iter().map(|name| element(name, &text(&value[*name]).unwrap_or_else(|| "false".to_owned()))).collect();
    element("PublicAccessBlockConfiguration", &inside)
}

pub(super) fn ownership_controls(value: &Value) -> String {
    element("OwnershipControls", &each(&value["Rules"], "Rule"))
}

pub(super) fn encryption(value: &Value) -> String {
    let rules: String = list(&value["ServerSideEncryptionConfiguration"])
        .map(|rule| {
            let default = &rule["ServerSideEncryptionByDefault"];
            let mut inside = String::new();
            if !default.is_null() {
                inside = element("ApplyServerSideEncryptionByDefault", &members(default));
            }
            if let Some(key) = text(&rule["BucketKeyEnabled"]) {
                inside.push_str(&element("BucketKeyEnabled", &escape(&key)));
            }
            element("Rule", &inside)
        })
        .collect();
    element("ServerSideEncryptionConfiguration", &rules)
}

pub(super) fn versioning(value: &Value) -> String {
    element("VersioningConfiguration", &members(value))
}

/// Converts lifecycle rules, which have another structure and other names in S3.
pub(super) fn lifecycle(value: &Value) -> String {
    let rules: String = list(&value["Rules"]).map(lifecycle_rule).collect();
    element("LifecycleConfiguration", &rules)
}

fn lifecycle_rule(rule: &Value) -> String {
    let member = |name: &str, tag: &str| text(&rule[name]).map_or_else(String::new, |it| element(tag, &escape(&it)));
    let tags: String = list(&rule["TagFilters"]).map(|tag| element("Tag", &members(tag))).collect();
    let conditions = [
        member("Prefix", "Prefix"),
        tags,
        member("ObjectSizeGreaterThan", "ObjectSizeGreaterThan"),
        member("ObjectSizeLessThan", "ObjectSizeLessThan"),
    ]
    .concat();
    let several = conditions.matches("</").count() > 1;
    let filter = if several { element("And", &conditions) } else { conditions };
    let mut out = member("Id", "ID");
    out.push_str(&element("Filter", &filter));
    out.push_str(&member("Status", "Status"));
    let expiration = [
        member("ExpirationInDays", "Days"),
        member("ExpirationDate", "Date"),
        member("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker"),
    ]
    .concat();
    if !expiration.is_empty() {
        out.push_str(&element("Expiration", &expiration));
    }
    let renamed = |from: &Value, names: &[(&str, &str)]| -> String {
        names.iter().filter_map(|(name, tag)| Some(element(tag, &escape(&text(&from[*name])?)))).collect()
    };
    for transition in list(&rule["Transitions"]).chain(one(&rule["Transition"])) {
        let names = [("TransitionDate", "Date"), ("TransitionInDays", "Days"), ("StorageClass", "StorageClass")];
        out.push_str(&element("Transition", &renamed(transition, &names)));
    }
    let old = [("NoncurrentDays", "NoncurrentDays"), ("NewerNoncurrentVersions", "NewerNoncurrentVersions")];
    for transition in list(&rule["NoncurrentVersionTransitions"]).chain(one(&rule["NoncurrentVersionTransition"])) {
        let names = [
            ("TransitionInDays", "NoncurrentDays"),
            ("NewerNoncurrentVersions", "NewerNoncurrentVersions"),
            ("StorageClass", "StorageClass"),
        ];
        out.push_str(&element("NoncurrentVersionTransition", &renamed(transition, &names)));
    }
    let expiring = &rule["NoncurrentVersionExpiration"];
    if !expiring.is_null() {
        out.push_str(&element("NoncurrentVersionExpiration", &renamed(expiring, &old)));
    } else if let Some(days) = text(&rule["NoncurrentVersionExpirationInDays"]) {
        out.push_str(&element("NoncurrentVersionExpiration", &element("NoncurrentDays", &escape(&days))));
    }
    let abort = &rule["AbortIncompleteMultipartUpload"];
    if !abort.is_null() {
        let names = [("DaysAfterInitiation", "DaysAfterInitiation")];
        out.push_str(&element("AbortIncompleteMultipartUpload", &renamed(abort, &names)));
    }
    element("Rule", &out)
}

pub(super) fn notification(value: &Value) -> String {
    let functions: String = list(&value["LambdaConfigurations"])
        .map(|function| {
            let mut inside = element("CloudFunction", &escape(&text(&function["Function"]).unwrap_or_default()));
            inside.push_str(&element("Event", &escape(&text(&function["Event"]).unwrap_or_default())));
            let rules: String =
                list(&function["Filter"]["S3Key"]["Rules"]).map(|rule| element("FilterRule", &members(rule))).collect();
            if !rules.is_empty() {
                inside.push_str(&element("Filter", &element("S3Key", &rules)));
            }
            element("CloudFunctionConfiguration", &inside)
        })
        .collect();
    element("NotificationConfiguration", &functions)
}

fn element(name: &str, inside: &str) -> String {
    format!("<{name}>{inside}</{name}>")
}

/// The scalar members of an object, in order.
fn members(value: &Value) -> String {
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(name, value)| Some(element(name, &escape(&text(value)?)))).collect()
}

fn each(value: &Value, name: &str) -> String {
    list(value).map(|item| element(name, &members(item))).collect()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn one(value: &Value) -> impl Iterator<Item = &Value> {
    Some(value).filter(|value| !value.is_null()).into_iter()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn notification_contains_function_event_and_filter() {
        let document = notification(&json!({ "LambdaConfigurations": [{
            "Event": "s3:ObjectCreated:*",
            "Function": "arn:aws:lambda:eu-west-1:000000000000:function:f",
            "Filter": { "S3Key": { "Rules": [{ "Name": "suffix", "Value": ".jpg" }] } },
        }] }));
        assert_eq!(
            document,
            "<NotificationConfiguration><CloudFunctionConfiguration>\
             <CloudFunction>arn:aws:lambda:eu-west-1:000000000000:function:f</CloudFunction>\
             <Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>suffix</Name><Value>.jpg</Value></FilterRule>\
             </S3Key></Filter></CloudFunctionConfiguration></NotificationConfiguration>"
        );
    }

    #[test]
    fn only_us_east_1_goes_without_saying() {
        assert_eq!(location("us-east-1"), "");
        assert!(location("eu-west-1").contains("<LocationConstraint>eu-west-1</LocationConstraint>"));
    }

    #[test]
    fn several_lifecycle_conditions_are_joined() {
        let rule = json!({ "Rules": [{ "Id": "old", "Status": "Enabled", "Prefix": "a/", "ExpirationInDays": "3" }] });
        assert_eq!(
            lifecycle(&rule),
            "<LifecycleConfiguration><Rule><ID>old</ID><Filter><Prefix>a/</Prefix></Filter><Status>Enabled</Status>\
             <Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>"
        );
    }
}
