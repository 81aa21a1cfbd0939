//! The AWS console's page for each resource. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

/// The characters that are not encoded in a part of a path or fragment.
const PART: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Returns a resource's URL in the AWS console; `None` in other partitions, which have their own consoles, and for
/// an invalid account id. The caller checks that the cloud is AWS.
pub fn console_url(kind: ResourceKind, names: &Names, region: &str, account: &str) -> Option<String> {
    let elsewhere = ["cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-"];
    let is_region = region.contains('-') && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if !is_region || elsewhere.iter().any(|prefix| region.starts_with(prefix)) {
        return None;
    }
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let host = format!("https://{region}.console.aws.amazon.com");
    let of = |kind| part(&names.of(kind));
    Some(match kind {
        // An image's own page needs its digest; the repository's page lists it.
        ResourceKind::Repository | ResourceKind::Image => {
            format!("{host}/ecr/repositories/private/{account}/{}?region={region}", of(ResourceKind::Repository))
        }
        ResourceKind::BuildSourceBucket | ResourceKind::SourceBucket | ResourceKind::DestinationBucket => {
            format!("{host}/s3/buckets/{}?region={region}&tab=objects", of(kind))
        }
        ResourceKind::Notification => {
            format!("{host}/s3/buckets/{}?region={region}&tab=properties", of(ResourceKind::SourceBucket))
        }
        ResourceKind::BuildLogGroup | ResourceKind::FunctionLogGroup | ResourceKind::MacroLogGroup => {
            let group = log_group(&names.of(kind));
            format!("{host}/cloudwatch/home?region={region}#logsV2:log-groups/log-group/{group}")
        }
        ResourceKind::BuildPolicy | ResourceKind::FunctionPolicy => {
            let arn = part(&format!("arn:aws:iam::{account}:policy/{}", names.of(kind)));
            format!("{}#/policies/details/{arn}?section=permissions", iam(region))
        }
        ResourceKind::BuildRole | ResourceKind::FunctionRole | ResourceKind::MacroRole => {
            format!("{}#/roles/details/{}?section=permissions", iam(region), of(kind))
        }
        ResourceKind::BuildProject => {
            format!("{host}/codesuite/codebuild/{account}/projects/{}/history?region={region}", of(kind))
        }
        ResourceKind::Function | ResourceKind::MacroFunction => {
            format!("{host}/lambda/home?region={region}#/functions/{}", of(kind))
        }
        // A stack's own page needs its id, which only CloudFormation has; the list is filtered by name.
        ResourceKind::MacroStack | ResourceKind::BuildStack | ResourceKind::AppStack => {
            format!("{host}/cloudformation/home?region={region}#/stacks?filteringText={}", of(kind))
        }
        // Macros have no page: their stack's page is used.
        ResourceKind::Macro => {
            let stack = of(ResourceKind::MacroStack);
            format!("{host}/cloudformation/home?region={region}#/stacks?filteringText={stack}")
        }
        ResourceKind::InvokePermission => {
            let function = of(ResourceKind::Function);
            format!("{host}/lambda/home?region={region}#/functions/{function}?subtab=permissions&tab=configure")
        }
    })
}

// IAM is global, but its console has a region: the one to return to.
fn iam(region: &str) -> String {
    format!("https://us-east-1.console.aws.amazon.com/iam/home?region={region}")
}

fn part(text: &str) -> String {
    utf8_percent_encode(text, PART).to_string()
}

// Rule: CloudWatch's console encodes names twice, with dollars for the outer percent signs: `/` is `$252F`.
// https://github.com/link2aws/link2aws.github.io/issues/29
fn log_group(name: &str) -> String {
    part(&part(name)).replace('%', "$")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use thumbctl_core::names::{DeploymentName, Suffix};

    use super::*;

    fn url(kind: ResourceKind) -> String {
        console_url(kind, &names(), "eu-central-1", "123456789012").unwrap()
    }

    fn names() -> Names {
        Names::new(DeploymentName::new("demo").unwrap(), Suffix::from_number(0xab))
    }

    #[test]
    fn every_kind_has_its_page() {
        use ResourceKind::*;
        let host = "https://eu-central-1.console.aws.amazon.com";
        let iam = "https://us-east-1.console.aws.amazon.com/iam/home?region=eu-central-1";
        let region = "region=eu-central-1";
        for (kind, expected) in [
            (Repository, format!("{host}/ecr/repositories/private/123456789012/demo-000000ab?{region}")),
            (Image, format!("{host}/ecr/repositories/private/123456789012/demo-000000ab?{region}")),
            (BuildSourceBucket, format!("{host}/s3/buckets/demo-000000ab-build-source?{region}&tab=objects")),
            (SourceBucket, format!("{host}/s3/buckets/demo-000000ab-source?{region}&tab=objects")),
            (DestinationBucket, format!("{host}/s3/buckets/demo-000000ab-destination?{region}&tab=objects")),
            (Notification, format!("{host}/s3/buckets/demo-000000ab-source?{region}&tab=properties")),
            (
                BuildLogGroup,
                format!(
                    "{host}/cloudwatch/home?{region}#logsV2:log-groups/log-group/$252Faws$252Fcodebuild$252Fdemo-000000ab-build"
                ),
            ),
            (
                FunctionLogGroup,
                format!(
                    "{host}/cloudwatch/home?{region}#logsV2:log-groups/log-group/$252Faws$252Flambda$252Fdemo-000000ab-function"
                ),
            ),
            (
                BuildPolicy,
                format!(
                    "{iam}#/policies/details/arn%3Aaws%3Aiam%3A%3A123456789012%3Apolicy%2Fdemo-000000ab-build-policy?section=permissions"
                ),
            ),
            (
                FunctionPolicy,
                format!(
                    "{iam}#/policies/details/arn%3Aaws%3Aiam%3A%3A123456789012%3Apolicy%2Fdemo-000000ab-function-policy?section=permissions"
                ),
            ),
            (BuildRole, format!("{iam}#/roles/details/demo-000000ab-build-role?section=permissions")),
            (FunctionRole, format!("{iam}#/roles/details/demo-000000ab-function-role?section=permissions")),
            (
                BuildProject,
                format!("{host}/codesuite/codebuild/123456789012/projects/demo-000000ab-build/history?{region}"),
            ),
            (Function, format!("{host}/lambda/home?{region}#/functions/demo-000000ab-function")),
            (
                InvokePermission,
                format!(
                    "{host}/lambda/home?{region}#/functions/demo-000000ab-function?subtab=permissions&tab=configure"
                ),
            ),
            (MacroStack, format!("{host}/cloudformation/home?{region}#/stacks?filteringText=demo-000000ab-macro")),
            (BuildStack, format!("{host}/cloudformation/home?{region}#/stacks?filteringText=demo-000000ab-build")),
            (MacroFunction, format!("{host}/lambda/home?{region}#/functions/demo-000000ab-macro")),
            (MacroRole, format!("{iam}#/roles/details/demo-000000ab-macro-role?section=permissions")),
        ] {
            assert_eq!(url(kind), expected, "{kind}");
        }
        let pages: BTreeSet<String> = ResourceKind::ALL.map(url).into();
        assert_eq!(
            pages.len(),
            ResourceKind::ALL.len() - 2,
            "the image shares the repository's page, the macro its stack's"
        );
    }

    #[test]
    fn other_partitions_and_accounts_have_no_page() {
        let page = |region, account| console_url(ResourceKind::Function, &names(), region, account);
        for region in ["cn-north-1", "us-gov-west-1", "us-iso-east-1", "", "evil.example/#", "local"] {
            assert_eq!(page(region, "123456789012"), None, "{region}");
        }
        assert_eq!(page("us-east-1", "me"), None);
        assert!(page("us-east-1", "123456789012").is_some());
    }

    #[test]
    fn log_groups_are_encoded_twice() {
        assert_eq!(log_group("/aws/a b#c"), "$252Faws$252Fa$2520b$2523c");
    }
}
