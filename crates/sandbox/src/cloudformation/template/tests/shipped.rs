//! Tests of the templates in `assets/cloudformation`.

use serde_json::json;

use super::*;

/// Reads a template from `assets/cloudformation`.
fn shipped(name: &str) -> Template {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/cloudformation").join(name);
    Template::parse(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// Binds a template, and lists the dependencies of each resource.
fn dependencies(template: &Template, supplied: &[(&str, &str)]) -> (Bound, Vec<String>) {
    let supplied = supplied.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let bound = template.bind(template.parameter_values(&supplied).unwrap(), pseudo()).unwrap();
    let line = |resource: &BoundResource| {
        let names: Vec<_> = resource.depends_on.iter().map(String::as_str).collect();
        format!("{}: {}", resource.logical_id, names.join(" "))
    };
    let lines = bound.resources().iter().map(line).collect();
    (bound, lines)
}

#[test]
fn macro_template_is_valid() {
    let template = shipped("macro.yaml");
    assert_eq!(template.needed_capabilities().capabilities, ["CAPABILITY_NAMED_IAM"]);
    let (bound, lines) = dependencies(&template, &[]);
    let expected = ["MacroLogGroup: ", "MacroRole: ", "MacroFunction: MacroLogGroup MacroRole", "Macro: MacroFunction"];
    assert_eq!(lines, expected);
    let function = bound.properties("MacroFunction", &AllCreated).unwrap();
    assert_eq!(function["Role"], "MacroRole/Arn");
    assert!(function["Code"]["ZipFile"].as_str().unwrap().starts_with("def handler(event, context):\n"));
    assert_eq!(bound.outputs(&AllCreated).unwrap()[0].value, "ref-Macro");
}

#[test]
fn build_template_is_valid_with_and_without_repository() {
    let template = shipped("build.yaml");
    let (bundle, with_bundle) = dependencies(&template, &[("Suffix", "0123abcd")]);
    assert!(with_bundle.contains(&"BuildSourceBucket: ".to_owned()));
    let project = "BuildProject: BuildLogGroup BuildRole BuildSourceBucket Repository";
    assert!(with_bundle.contains(&project.to_owned()), "{with_bundle:?}");
    let project = bundle.properties("BuildProject", &AllCreated).unwrap();
    assert_eq!(project["Source"], json!({ "Type": "S3", "Location": "ref-BuildSourceBucket/function.zip" }));
    let statements = |bound: &Bound| {
        bound.properties("BuildPolicy", &AllCreated).unwrap()["PolicyDocument"]["Statement"].as_array().unwrap().len()
    };
    assert_eq!(statements(&bundle), 5);

    let url = "https://github.com/a/b";
    let (github, with_github) = dependencies(&template, &[("Suffix", "0123abcd"), ("SourceUrl", url)]);
    assert!(with_github.contains(&"BuildProject: BuildLogGroup BuildRole Repository".to_owned()), "{with_github:?}");
    let project = github.properties("BuildProject", &AllCreated).unwrap();
    assert_eq!(project["Source"], json!({ "Type": "GITHUB", "Location": url, "GitCloneDepth": 1 }));
    assert_eq!(statements(&github), 3);
}

#[test]
fn application_template_is_valid_after_its_macro() {
    let mut template = shipped("app.yaml");
    assert_eq!(template.declared_transforms(), ["thumbs-macro"]);
    while let Some(call) = template.next_transform() {
        assert_eq!(call.parameters["Prefix"], json!({ "Ref": "Prefix" }));
        let name = format!("thumbs-{}", call.parameters["Role"].as_str().unwrap());
        template.replace(&call.pointer, json!(name)).unwrap();
    }
    let supplied = [("Suffix", "0123abcd"), ("ImageUri", "host/repository:latest")];
    let (bound, lines) = dependencies(&template, &supplied);
    let expected = [
        "SourceBucket: Function InvokePermission",
        "DestinationBucket: ",
        "FunctionLogGroup: ",
        "FunctionPolicy: ",
        "FunctionRole: FunctionPolicy",
        "Function: DestinationBucket FunctionLogGroup FunctionRole",
        "InvokePermission: Function",
    ];
    assert_eq!(lines, expected);
    let policy = bound.properties("FunctionPolicy", &AllCreated).unwrap();
    assert_eq!(policy["PolicyDocument"]["Statement"][1]["Resource"], "arn:aws:s3:::thumbs-source/*");
}

/// The templates' policies have the statements of `assets/policies`; only resource names differ, and those are compared by the
/// tests that deploy them.
#[test]
fn template_policies_match_all_strategies() {
    let policies = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/policies");
    let asset =
        |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(policies.join(name)).unwrap()).unwrap() };
    let supplied = [("Suffix", "0123abcd"), ("ImageUri", "host/repository:latest")];
    let build = dependencies(&shipped("build.yaml"), &supplied[..1]).0;
    let mut app = shipped("app.yaml");
    while let Some(call) = app.next_transform() {
        let name = format!("thumbnails-0123abcd-{}", call.parameters["Role"].as_str().unwrap());
        app.replace(&call.pointer, json!(name)).unwrap();
    }
    let app = dependencies(&app, &supplied).0;
    for (bound, policy, role, file, trust) in [
        (&build, "BuildPolicy", "BuildRole", "build-policy.json", "build-trust.json"),
        (&app, "FunctionPolicy", "FunctionRole", "function-policy.json", "function-trust.json"),
    ] {
        let document = bound.properties(policy, &AllCreated).unwrap()["PolicyDocument"].clone();
        assert_eq!(without_names(document), without_names(asset(file)), "{policy}");
        let document = bound.properties(role, &AllCreated).unwrap()["AssumeRolePolicyDocument"].clone();
        assert_eq!(without_names(document), without_names(asset(trust)), "{role}");
    }
}

/// Removes the resource names from the ARNs of a policy.
fn without_names(mut document: Value) -> Value {
    let kind = |arn: &str| {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let named = parts.get(5).copied().unwrap_or_default();
        let start = named.split([':', '/']).next().filter(|_| parts.get(2) != Some(&"s3")).unwrap_or_default();
        let end = if arn.ends_with(":*") {
            ":*"
        } else if arn.ends_with("/*") {
            "/*"
        } else {
            ""
        };
        format!("{} {start} {end}", parts.get(2).unwrap_or(&arn))
    };
    for statement in document["Statement"].as_array_mut().unwrap() {
        let resource = &mut statement["Resource"];
        match resource {
            Value::String(arn) => *resource = json!(kind(arn)),
            Value::Array(arns) => *resource = arns.iter().map(|arn| json!(kind(arn.as_str().unwrap()))).collect(),
            _ => {}
        }
    }
    document
}
