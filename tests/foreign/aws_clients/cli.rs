//! The AWS CLI.

use thumbctl_deploy::aws::policy::Document;
use thumbctl_test_support::aws_tools::{AwsTool, aws_cli};
use thumbctl_test_support::{Program, Sandbox, wait_for};

use super::{
    ACCOUNT, Architecture, BUILD, BUILD_SOURCE, DESTINATION, FUNCTION, REPOSITORY, SOURCE, assert_nothing_left,
    assert_thumbnail,
};

thumbctl_test_support::foreign_tests! {
    [AwsCli] async: architecture_is_created_and_deleted_by_the_cli;
    [AwsCli] sync: files_are_copied_synchronized_moved_and_removed;
}

/// The CLI with a sandbox's environment.
struct Aws<'a> {
    tool: AwsTool,
    program: &'a Program,
    sandbox: &'a Sandbox,
}

impl Aws<'_> {
    /// Runs a command whose arguments have no spaces, and returns its output.
    #[track_caller]
    fn run(&self, line: &str) -> String {
        self.tool.run(&self.program.work_dir(), self.sandbox, line.split(' ')).ok().stdout.trim().to_owned()
    }

    /// The same for a command that must fail; returns its error.
    #[track_caller]
    fn fails(&self, line: &str) -> String {
        let finished = self.tool.run(&self.program.work_dir(), self.sandbox, line.split(' '));
        assert!(finished.code.is_some_and(|code| code > 0), "{line}: {finished}");
        finished.stderr
    }

    fn make_role(&self, name: &str, trust: &str, policy: &str) {
        let create = format!("iam create-policy --policy-name {name} --policy-document {policy}");
        let arn = self.run(&format!("{create} --query Policy.Arn --output text"));
        assert_eq!(arn, format!("arn:aws:iam::{ACCOUNT}:policy/{name}"));
        self.run(&format!("iam create-role --role-name {name} --assume-role-policy-document {trust}"));
        self.run(&format!("iam wait role-exists --role-name {name}"));
        self.run(&format!("iam attach-role-policy --role-name {name} --policy-arn {arn}"));
    }

    fn delete_role(&self, name: &str) {
        let arn = format!("arn:aws:iam::{ACCOUNT}:policy/{name}");
        let why = self.fails(&format!("iam delete-role --role-name {name}"));
        assert!(why.contains("(DeleteConflict)"), "{why}");
        self.run(&format!("iam detach-role-policy --role-name {name} --policy-arn {arn}"));
        self.run(&format!("iam delete-role --role-name {name}"));
        self.run(&format!("iam delete-policy --policy-arn {arn}"));
    }

    /// Builds the image, and returns its digest.
    fn build(&self, architecture: &Architecture) -> String {
        self.run(&format!("s3 cp function.zip s3://{BUILD_SOURCE}/function.zip"));
        self.run(&format!(
            "codebuild create-project --name {BUILD} --source type=S3,location={BUILD_SOURCE}/function.zip \
             --artifacts type=NO_ARTIFACTS --environment {} --service-role arn:aws:iam::{ACCOUNT}:role/{BUILD}",
            architecture.environment()
        ));
        let id = self.run(&format!("codebuild start-build --project-name {BUILD} --query build.id --output text"));
        let look = format!("codebuild batch-get-builds --ids {id} --query builds[0].buildStatus --output text");
        let status = wait_for("the build", || Some(self.run(&look)).filter(|status| status != "IN_PROGRESS"));
        assert_eq!(status, "SUCCEEDED");
        let ids =
            self.run(&format!("codebuild list-builds-for-project --project-name {BUILD} --query ids --output text"));
        assert_eq!(ids, id);
        let filter = format!("logs filter-log-events --log-group-name /aws/codebuild/{BUILD} --filter-pattern Pushing");
        assert!(self.run(&filter).contains("Pushing the image"));
        if self.run("--version").starts_with("aws-cli/2") {
            let tail = format!("logs tail /aws/codebuild/{BUILD} --since 1h --format short");
            assert!(self.run(&tail).contains("Pushing the image"));
        }
        let describe = format!("ecr describe-images --repository-name {REPOSITORY}");
        let digest = self.run(&format!("{describe} --query imageDetails[0].imageDigest --output text"));
        let listed =
            format!("ecr list-images --repository-name {REPOSITORY} --query imageIds[0].imageDigest --output text");
        assert_eq!(self.run(&listed), digest);
        let get = format!("ecr batch-get-image --repository-name {REPOSITORY} --image-ids imageTag=latest");
        assert_eq!(self.run(&format!("{get} --query images[0].imageId.imageDigest --output text")), digest);
        digest
    }

    fn make_function(&self, region: &str, digest: &str) {
        let uri = format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/{REPOSITORY}@{digest}");
        self.run(&format!(
            "lambda create-function --function-name {FUNCTION} --package-type Image --code ImageUri={uri} \
             --role arn:aws:iam::{ACCOUNT}:role/{FUNCTION} --timeout 30 --memory-size 256 \
             --environment Variables={{DEST_BUCKET={DESTINATION},MAX_SIZE=128}}"
        ));
        self.run(&format!("lambda wait function-active-v2 --function-name {FUNCTION}"));
        self.run(&format!(
            "lambda add-permission --function-name {FUNCTION} --statement-id s3 --action lambda:InvokeFunction \
             --principal s3.amazonaws.com --source-arn arn:aws:s3:::{SOURCE} --source-account {ACCOUNT}"
        ));
        let configuration = format!(
            "{{\"LambdaFunctionConfigurations\":[{{\"LambdaFunctionArn\":\"arn:aws:lambda:{region}:{ACCOUNT}:function:{FUNCTION}\",\
             \"Events\":[\"s3:ObjectCreated:*\"]}}]}}"
        );
        self.notify(&configuration);
    }

    fn notify(&self, configuration: &str) {
        let put = format!("s3api put-bucket-notification-configuration --bucket {SOURCE}");
        self.run(&format!("{put} --notification-configuration {configuration}"));
    }
}

async fn architecture_is_created_and_deleted_by_the_cli() {
    let Some(tool) = aws_cli() else { return };
    let program = Program::new();
    let sandbox = program.sandbox();
    let aws = Aws { tool, program: &program, sandbox: &sandbox };
    let architecture = Architecture { region: sandbox.region.clone() };
    program.file("function.zip", thumbctl_deploy::assets::function_zip().expect("a zip"));
    program.file("event.json", r#"{"Records":[]}"#);
    for (name, content) in thumbctl_deploy::assets::sample_images() {
        program.file(name, content);
    }

    assert_eq!(aws.run("sts get-caller-identity --query Account --output text"), ACCOUNT);
    for bucket in [SOURCE, DESTINATION, BUILD_SOURCE] {
        aws.run(&format!("s3 mb s3://{bucket}"));
    }
    aws.run(&format!("s3api wait bucket-exists --bucket {SOURCE}"));
    aws.run(&format!("ecr create-repository --repository-name {REPOSITORY}"));
    for group in [format!("/aws/codebuild/{BUILD}"), format!("/aws/lambda/{FUNCTION}")] {
        aws.run(&format!("logs create-log-group --log-group-name {group}"));
        aws.run(&format!("logs put-retention-policy --log-group-name {group} --retention-in-days 7"));
    }
    aws.make_role(BUILD, &architecture.document(Document::BuildTrust), &architecture.document(Document::BuildPolicy));
    let trust = architecture.document(Document::FunctionTrust);
    aws.make_role(FUNCTION, &trust, &architecture.document(Document::FunctionPolicy));
    let digest = aws.build(&architecture);
    aws.make_function(&sandbox.region, &digest);

    aws.run(&format!("s3 cp lighthouse.jpg s3://{SOURCE}/lighthouse.jpg"));
    aws.run(&format!("s3api wait object-exists --bucket {DESTINATION} --key thumb-lighthouse.jpg"));
    aws.run(&format!("s3 cp s3://{DESTINATION}/thumb-lighthouse.jpg thumbnail.jpg"));
    assert_thumbnail(&std::fs::read(program.work_dir().join("thumbnail.jpg")).expect("a thumbnail"));
    let invoke = format!("lambda invoke --function-name {FUNCTION} --payload fileb://event.json --log-type Tail");
    let tail = aws.run(&format!("{invoke} --query LogResult --output text answer.json"));
    let tail = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, tail).expect("Base64");
    assert!(String::from_utf8_lossy(&tail).contains("REPORT RequestId:"), "{}", String::from_utf8_lossy(&tail));
    let filter = format!("logs filter-log-events --log-group-name /aws/lambda/{FUNCTION} --filter-pattern REPORT");
    wait_for("both reports", || {
        let found = aws.run(&format!("{filter} --query length(events) --output text"));
        (found == "2").then_some(())
    });

    aws.notify("{}");
    aws.run(&format!("lambda delete-function --function-name {FUNCTION}"));
    let missing = aws.fails(&format!("lambda get-function --function-name {FUNCTION}"));
    assert!(missing.contains("(ResourceNotFoundException)"), "{missing}");
    let ids = aws.run("codebuild list-builds --query ids --output text");
    aws.run(&format!("codebuild batch-delete-builds --ids {ids}"));
    aws.run(&format!("codebuild delete-project --name {BUILD}"));
    let refused = aws.fails(&format!("ecr delete-repository --repository-name {REPOSITORY}"));
    assert!(refused.contains("(RepositoryNotEmptyException)"), "{refused}");
    aws.run(&format!("ecr delete-repository --repository-name {REPOSITORY} --force"));
    for bucket in [SOURCE, DESTINATION, BUILD_SOURCE] {
        aws.run(&format!("s3 rb s3://{bucket} --force"));
    }
    for role in [BUILD, FUNCTION] {
        aws.delete_role(role);
    }
    for group in [format!("/aws/codebuild/{BUILD}"), format!("/aws/lambda/{FUNCTION}")] {
        aws.run(&format!("logs delete-log-group --log-group-name {group}"));
    }
    assert_nothing_left(&sandbox.clients()).await;
    sandbox.interrupt().ok();
}

fn files_are_copied_synchronized_moved_and_removed() {
    let Some(tool) = aws_cli() else { return };
    let program = Program::new();
    let sandbox = program.sandbox();
    let aws = Aws { tool, program: &program, sandbox: &sandbox };
    for name in ["tree/one.txt", "tree/a/two.txt", "tree/a/b/ three.txt"] {
        program.file(name, name);
    }
    // Large enough for a multipart upload.
    program.file("large", vec![7; 9 * 1024 * 1024]);
    let bucket = "s3://wk-files";
    aws.run(&format!("s3 mb {bucket}"));
    aws.run(&format!("s3 sync tree {bucket}/tree"));
    assert_eq!(aws.run(&format!("s3 sync tree {bucket}/tree")), "", "nothing has changed");
    aws.run(&format!("s3 cp large {bucket}/large"));
    aws.run(&format!("s3 sync {bucket} back"));
    for name in ["tree/one.txt", "tree/a/two.txt", "tree/a/b/ three.txt", "large"] {
        let (sent, back) = (program.work_dir().join(name), program.work_dir().join("back").join(name));
        assert!(std::fs::read(&sent).expect("a file") == std::fs::read(&back).expect("it came back"), "{name}");
    }
    std::fs::remove_file(program.work_dir().join("tree/one.txt")).expect("a file");
    assert!(aws.run(&format!("s3 sync tree {bucket}/tree --delete")).contains("delete:"));
    aws.run(&format!("s3 mv {bucket}/tree/a/two.txt {bucket}/moved"));
    aws.run(&format!("s3 cp {bucket}/tree {bucket}/copy --recursive"));
    let count = "s3api list-objects-v2 --bucket wk-files --query length(Contents) --output text";
    assert_eq!(aws.run(count), "4");
    aws.run(&format!("s3 rm {bucket} --recursive --exclude moved"));
    assert_eq!(aws.run(count), "1");
    let address = aws.run(&format!("s3 presign {bucket}/moved"));
    let mut answer = ureq::get(&address).call().expect("a presigned address");
    assert_eq!(answer.body_mut().read_to_string().expect("text"), "tree/a/two.txt");
    let spoilt = ureq::get(&address.replace("moved", "other")).call();
    assert!(matches!(spoilt, Err(ureq::Error::StatusCode(403))), "{spoilt:?}");
    let refused = aws.fails("s3 rb s3://wk-files");
    assert!(refused.contains("(BucketNotEmpty)"), "{refused}");
    aws.run("s3 rb s3://wk-files --force");
    assert_eq!(aws.run("s3 ls"), "");
    sandbox.interrupt().ok();
}
