//! The templates that thumbctl comes with.

use serde_json::json;

use super::*;

/// Reads one of the templates that thumbctl comes with.
fn shipped(name: &str) -> Template {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/cloudformation").join(name);
    Template::parse(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// What waits for what in a template, with the real types of resources.
fn order(template: &Template, supplied: &[(&str, &str)]) -> (Bound, Vec<String>) {
    let supplied = supplied.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let bound = template.bind(template.parameter_values(&supplied).unwrap(), pseudo()).unwrap();
    let line = |resource: &BoundResource| {
        let needed: Vec<_> = resource.depends_on.iter().map(String::as_str).collect();
        format!("{}: {}", resource.logical_id, needed.join(" "))
    };
    let lines = bound.resources().iter().map(line).collect();
    (bound, lines)
}

#[test]
fn the_macros_template_is_understood() {
    let template = shipped("macro.yaml");
    assert_eq!(template.needed_capabilities().capabilities, ["CAPABILITY_NAMED_IAM"]);
    let (bound, order) = order(&template, &[]);
    let expected = ["MacroLogGroup: ", "MacroRole: ", "MacroFunction: MacroLogGroup MacroRole", "Macro: MacroFunction"];
    assert_eq!(order, expected);
    let function = bound.properties("MacroFunction", &AllMade).unwrap();
    assert_eq!(function["Role"], "MacroRole/Arn");
    assert!(function["Code"]["ZipFile"].as_str().unwrap().starts_with("def handler(event, context):\n"));
    assert_eq!(bound.outputs(&AllMade).unwrap()[0].value, "ref-Macro");
}

#[test]
fn the_builds_template_is_understood_with_a_repository_and_without() {
    let template = shipped("build.yaml");
    let (bundle, with_bundle) = order(&template, &[("Suffix", "0123abcd")]);
    assert!(with_bundle.contains(&"BuildSourceBucket: ".to_owned()));
    let project = "BuildProject: BuildLogGroup BuildRole BuildSourceBucket Repository";
    assert!(with_bundle.contains(&project.to_owned()), "{with_bundle:?}");
    let project = bundle.properties("BuildProject", &AllMade).unwrap();
    assert_eq!(project["Source"], json!({ "Type": "S3", "Location": "ref-BuildSourceBucket/function.zip" }));
    let statements = |bound: &Bound| {
        bound.properties("BuildPolicy", &AllMade).unwrap()["PolicyDocument"]["Statement"].as_array().unwrap().len()
    };
    assert_eq!(statements(&bundle), 5);

    let url = "https://github.com/a/b";
    let (github, with_github) = order(&template, &[("Suffix", "0123abcd"), ("SourceUrl", url)]);
    assert!(with_github.contains(&"BuildProject: BuildLogGroup BuildRole Repository".to_owned()), "{with_github:?}");
    let project = github.properties("BuildProject", &AllMade).unwrap();
    assert_eq!(project["Source"], json!({ "Type": "GITHUB", "Location": url, "GitCloneDepth": 1 }));
    assert_eq!(statements(&github), 3);
}

#[test]
fn the_applications_template_is_understood_once_its_macro_has_answered() {
    let mut template = shipped("app.yaml");
    assert_eq!(template.declared_transforms(), ["thumbs-macro"]);
    while let Some(call) = template.next_transform() {
        assert_eq!(call.parameters["Prefix"], json!({ "Ref": "Prefix" }));
        let name = format!("thumbs-{}", call.parameters["Role"].as_str().unwrap());
        template.replace(&call.pointer, json!(name)).unwrap();
    }
    let supplied = [("Suffix", "0123abcd"), ("ImageUri", "host/repository:latest")];
    let (bound, order) = order(&template, &supplied);
    let expected = [
        "SourceBucket: Function InvokePermission",
        "DestinationBucket: ",
        "FunctionLogGroup: ",
        "FunctionPolicy: ",
        "FunctionRole: FunctionPolicy",
        "Function: DestinationBucket FunctionLogGroup FunctionRole",
        "InvokePermission: Function",
    ];
    assert_eq!(order, expected);
    let policy = bound.properties("FunctionPolicy", &AllMade).unwrap();
    assert_eq!(policy["PolicyDocument"]["Statement"][1]["Resource"], "arn:aws:s3:::thumbs-source/*");
}
