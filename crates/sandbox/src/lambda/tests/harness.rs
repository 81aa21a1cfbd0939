//! The test harness: Lambda with a registry of one image, one role and in-memory logs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use awsim_core::{AwsError, RequestContext};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::function;
use crate::authz::sessions::TemporaryCredentials;
use crate::lambda::LambdaService;
use crate::lambda::internal_caller::{InternalCaller, SourceError, SourceImage, SourceLayer};
use crate::lambda::pool::PoolLimits;
use crate::latency::{Latencies, Pace};
use crate::operation::{AnyService, Service};
use crate::storage::blobs::{Blob, Blobs};
use crate::sync::lock;

pub(super) const REGION: &str = "eu-central-1";
pub(super) const ACCOUNT: &str = "000000000000";
pub(super) const ROLE: &str = "arn:aws:iam::000000000000:role/function";
pub(super) const IMAGE: &str = "000000000000.dkr.ecr.eu-central-1.amazonaws.com/thumb:latest";
pub(super) const BROKEN: &str = "000000000000.dkr.ecr.eu-central-1.amazonaws.com/broken:latest";

/// The longest wait in a test, generous for busy machines.
pub(super) const TEST_TIMEOUT: Duration = Duration::from_secs(120);

/// By group and stream.
type Logs = BTreeMap<(String, String), Vec<String>>;

pub(super) struct TestCaller {
    dir: PathBuf,
    logs: Mutex<Logs>,
    saves: Mutex<u32>,
    latencies: Latencies,
    blobs: Blobs,
}

#[async_trait]
impl InternalCaller for TestCaller {
    fn account(&self) -> &str {
        ACCOUNT
    }

    fn endpoint(&self) -> &str {
        "http://127.0.0.1:4566"
    }

    fn directory(&self) -> PathBuf {
        self.dir.join("lambda")
    }

    fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    fn object(&self, _: &str, bucket: &str, _: &str, _: Option<&str>) -> Result<(String, u64), AwsError> {
        Err(AwsError::not_found("NoSuchBucket", format!("the test harness has no bucket {bucket}")))
    }

    async fn store_blob(&self, bytes: &[u8]) -> std::io::Result<Blob> {
        let mut writer = self.blobs.writer().await?;
        writer.write(bytes).await?;
        writer.finish().await
    }

    fn blob(&self, sha256: &str) -> PathBuf {
        self.blobs.path(sha256)
    }

    async fn log(
        &self,
        _role: Option<&TemporaryCredentials>,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        assert_eq!(region, REGION);
        let text = |name: &str| input[name].as_str().unwrap_or_default().to_owned();
        let key = (text("logGroupName"), text("logStreamName"));
        let mut logs = lock(&self.logs);
        match operation {
            "CreateLogGroup" | "CreateLogStream" => {
                logs.entry(key).or_default();
            }
            "PutLogEvents" => {
                let Some(lines) = logs.get_mut(&key) else {
                    return Err(AwsError::not_found("ResourceNotFoundException", "no such stream"));
                };
                for event in input["logEvents"].as_array().unwrap() {
                    lines.push(event["message"].as_str().unwrap().to_owned());
                }
            }
            other => panic!("{other} is not expected"),
        }
        Ok(json!({}))
    }

    async fn assume_role(&self, role_arn: &str, _session: &str) -> Result<TemporaryCredentials, AwsError> {
        if role_arn != ROLE {
            return Err(AwsError::forbidden("AccessDenied", "not trusted"));
        }
        Ok(TemporaryCredentials {
            access_key: "ASIA".to_owned(),
            secret_key: "secret".to_owned(),
            session_token: "token".to_owned(),
        })
    }

    fn save(&self) {
        *lock(&self.saves) += 1;
    }

    fn image(&self, uri: &str, _region: &str) -> Result<SourceImage, SourceError> {
        let (digit, layer) = match uri.split(['@', ':']).next().unwrap_or_default().rsplit('/').next() {
            Some("thumb") => ("a", "layer.tar"),
            Some("broken") => ("b", "broken.tar"),
            _ => return Err(SourceError::Missing(uri.to_owned())),
        };
        Ok(SourceImage {
            digest: format!("sha256:{}", digit.repeat(64)),
            entrypoint: vec!["/bootstrap".to_owned()],
            cmd: vec!["handler".to_owned()],
            env: vec!["FROM_IMAGE=yes".to_owned(), "BOTH=image".to_owned()],
            working_dir: "/work".to_owned(),
            layers: vec![SourceLayer { media_type: String::new(), path: self.dir.join(layer) }],
        })
    }
}

/// A Lambda service without the other services.
pub(super) struct Harness {
    pub internal: Arc<TestCaller>,
    pub service: Arc<LambdaService>,
    limits: PoolLimits,
    _dir: tempfile::TempDir,
}

impl Harness {
    pub(super) fn new() -> Self {
        Self::with(PoolLimits { processes: 4, ..PoolLimits::default() })
    }

    pub(super) fn with(limits: PoolLimits) -> Self {
        Self::at(Pace::default(), limits)
    }

    /// Creates a harness with a pace.
    pub(super) fn at(pace: Pace, limits: PoolLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = function::bootstrap();
        let mut layer = tar::Builder::new(std::fs::File::create(dir.path().join("layer.tar")).unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(script.len() as u64);
        layer.append_data(&mut header, "bootstrap", script.as_bytes()).unwrap();
        layer.finish().unwrap();
        std::fs::write(dir.path().join("broken.tar"), [7; 1024]).unwrap();
        let internal = Arc::new(TestCaller {
            blobs: Blobs::open(&dir.path().join("blobs")).unwrap(),
            dir: dir.path().to_owned(),
            logs: Mutex::default(),
            saves: Mutex::default(),
            latencies: Latencies::new(pace),
        });
        let service = Arc::new(LambdaService::with_internal_caller(internal.clone(), limits));
        Self { internal, service, limits, _dir: dir }
    }

    /// Restarts the service with the same directory and its snapshot.
    pub(super) fn restart(&self) -> LambdaService {
        let service = LambdaService::with_internal_caller(self.internal.clone(), self.limits);
        service.restore(&self.service.snapshot().unwrap()).unwrap();
        service.clear_leftovers();
        service.rehydrate().unwrap();
        service
    }

    pub(super) async fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        call(&self.service, operation, input).await
    }

    pub(super) async fn create(&self, name: &str, extra: Value) -> Value {
        let created = self.call("CreateFunction", creation(name, extra)).await.unwrap();
        self.wait_until_active(name).await;
        created
    }

    pub(super) async fn wait_until_active(&self, name: &str) {
        let input = json!({ "FunctionName": name });
        until("the function to be active", async || {
            let now = self.call("GetFunctionConfiguration", input.clone()).await.unwrap();
            now["State"] == "Active" && now["LastUpdateStatus"] == "Successful"
        })
        .await;
    }

    pub(super) async fn invoke(&self, name: &str, event: Value) -> InvokeResponse {
        let input = json!({
            "FunctionName": name, "LogType": "Tail", "__raw_body": STANDARD.encode(event.to_string()),
        });
        InvokeResponse::read(&self.call("Invoke", input).await.unwrap())
    }

    pub(super) fn stream_count(&self) -> usize {
        lock(&self.internal.logs).keys().filter(|(_, stream)| !stream.is_empty()).count()
    }

    /// All lines of the function's log group, stream by stream.
    pub(super) fn log(&self, name: &str) -> Vec<String> {
        let group = format!("/aws/lambda/{name}");
        let logs = lock(&self.internal.logs);
        logs.iter().filter(|((of, _), _)| *of == group).flat_map(|(_, lines)| lines.clone()).collect()
    }

    pub(super) fn images(&self) -> usize {
        std::fs::read_dir(self.internal.directory().join("images")).map_or(0, Iterator::count)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.internal.dir.join(name)
    }
}

/// A response of Invoke.
#[derive(Debug)]
pub(super) struct InvokeResponse {
    pub error: Option<String>,
    pub payload: Value,
    pub tail: String,
}

impl InvokeResponse {
    fn read(output: &Value) -> Self {
        assert_eq!(output["__headers"]["X-Amz-Executed-Version"], "$LATEST");
        let decode = |value: &Value| STANDARD.decode(value.as_str().unwrap_or_default()).unwrap();
        Self {
            error: output["__headers"]["X-Amz-Function-Error"].as_str().map(str::to_owned),
            payload: serde_json::from_slice(&decode(&output["__raw_body"])).unwrap(),
            tail: String::from_utf8(decode(&output["__headers"]["X-Amz-Log-Result"])).unwrap(),
        }
    }
}

pub(super) fn creation(name: &str, extra: Value) -> Value {
    let mut input = json!({
        "FunctionName": name, "PackageType": "Image", "Code": { "ImageUri": IMAGE }, "Role": ROLE,
    });
    for (field, value) in extra.as_object().unwrap() {
        input[field] = value.clone();
    }
    input
}

pub(super) async fn call(service: &LambdaService, operation: &str, input: Value) -> Result<Value, AwsError> {
    let ctx = RequestContext::new_with_account("lambda", REGION, ACCOUNT);
    service.handle(operation, &input, &ctx).await
}

/// Waits for a condition; panics with its description after the timeout.
pub(super) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + TEST_TIMEOUT;
    let mut delay = Duration::from_millis(2);
    while !condition().await {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_millis(50));
    }
}

pub(super) fn is_alive(pid: &Value) -> bool {
    let pid = i32::try_from(pid.as_i64().unwrap()).unwrap();
    // A zombie counts as dead.
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        return !stat.rsplit_once(')').unwrap().1.trim_start().starts_with('Z');
    }
    rustix::process::test_kill_process(rustix::process::Pid::from_raw(pid).unwrap()).is_ok()
}
