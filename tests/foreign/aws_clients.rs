//! The sandbox with independent clients: the AWS CLI and boto3, with only the exported variables.

mod boto3;
mod cli;

use thumbctl_test_support::foreign::ForeignTest;
use thumbctl_test_support::{Clients, list_everything};

async fn assert_nothing_left(clients: &Clients) {
    let left = list_everything(clients, "").await;
    assert!(left.is_empty(), "{left:#?}");
}

/// The names and documents of an architecture.
struct Architecture {
    region: String,
}

const ACCOUNT: &str = "000000000000";
const BUILD: &str = "wk-build";
const FUNCTION: &str = "wk-function";
const REPOSITORY: &str = "wk-images";
const SOURCE: &str = "wk-source";
const DESTINATION: &str = "wk-thumbnails";
const BUILD_SOURCE: &str = "wk-build-source";

impl Architecture {
    /// A document of `assets/policies` on one line without spaces, so that it is one argument.
    fn document(&self, document: thumbctl_deploy::aws::policy::Document) -> String {
        let values = [
            ("${Region}", self.region.as_str()),
            ("${AccountId}", ACCOUNT),
            ("${BuildLogGroup}", "/aws/codebuild/wk-build"),
            ("${FunctionLogGroup}", "/aws/lambda/wk-function"),
            ("${RepositoryName}", REPOSITORY),
            ("${BuildSourceBucket}", BUILD_SOURCE),
            ("${SourceBucket}", SOURCE),
            ("${DestinationBucket}", DESTINATION),
        ];
        let text = values.iter().fold(document.text().to_owned(), |text, (name, value)| text.replace(name, value));
        let json: serde_json::Value = serde_json::from_str(&text).expect("a policy");
        json.to_string()
    }

    /// The environment of a build.
    fn environment(&self) -> String {
        let variables = [
            ("AWS_ACCOUNT_ID", ACCOUNT),
            ("AWS_DEFAULT_REGION", &self.region),
            ("IMAGE_REPO_NAME", REPOSITORY),
            ("IMAGE_TAG", "latest"),
        ];
        serde_json::json!({
            "type": "LINUX_CONTAINER",
            "image": "aws/codebuild/standard:8.0",
            "computeType": "BUILD_GENERAL1_SMALL",
            "privilegedMode": true,
            "environmentVariables": variables.map(|(name, value)| serde_json::json!({ "name": name, "value": value })),
        })
        .to_string()
    }
}

/// The thumbnail is a small picture.
fn assert_thumbnail(bytes: &[u8]) {
    let picture = image::load_from_memory(bytes).expect("a picture");
    assert!(picture.width().max(picture.height()) == 128, "{} x {}", picture.width(), picture.height());
}

pub(crate) fn tests() -> Vec<ForeignTest> {
    [boto3::tests(), cli::tests()].into_iter().flatten().collect()
}
