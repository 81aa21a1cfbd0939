//! Tests of template parsing and evaluation, and of the error messages for invalid templates.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::*;
use crate::cloudformation::resource_types::{Created, HandlerContext, HandlerError, Property, Provider, ResourceType};

mod errors;
mod properties;
mod shipped;

struct NoProvider;

#[async_trait]
impl Provider for NoProvider {
    fn physical_id(&self, _: &HandlerContext<'_>, _: &Value) -> String {
        unreachable!("template tests create no resources")
    }

    async fn exists(&self, _: &HandlerContext<'_>, _: &str, _: &Value) -> bool {
        unreachable!("template tests create no resources")
    }

    async fn create(&self, _: &HandlerContext<'_>, _: &Value) -> Result<Created, HandlerError> {
        unreachable!("template tests create no resources")
    }

    async fn stabilise(&self, _: &HandlerContext<'_>, _: &Created) -> Result<(), HandlerError> {
        unreachable!("template tests create no resources")
    }

    async fn update(&self, _: &HandlerContext<'_>, _: &Created, _: &Value, _: &Value) -> Result<Created, HandlerError> {
        unreachable!("template tests create no resources")
    }

    async fn delete(&self, _: &HandlerContext<'_>, _: &Created, _: &Value) -> Result<(), HandlerError> {
        unreachable!("template tests create no resources")
    }
}

const fn property(name: &'static str, required: bool, below: &'static [Property]) -> Property {
    Property { name, required, replaces: false, below }
}

static RULE: [Property; 2] = [property("Days", true, &[]), property("Prefix", false, &[])];
static THING: ResourceType = ResourceType {
    name: "Test::One::Thing",
    properties: &[
        property("Name", false, &[]),
        property("Text", false, &[]),
        property("Rules", false, &RULE),
        property("Anything", false, &[]),
    ],
    attributes: &["Arn", "Deep.Name"],
    early: true,
    provider: &NoProvider,
};
static NEEDY: ResourceType = ResourceType {
    name: "Test::One::Needy",
    properties: &[property("Name", true, &[])],
    attributes: &[],
    early: true,
    provider: &NoProvider,
};

fn types(name: &str) -> Option<&'static ResourceType> {
    [&THING, &NEEDY].into_iter().find(|known| known.name == name)
}

/// Values of resources that all exist: `Thing` is `ref-Thing`, `Thing.Arn` is `Thing/Arn`.
struct AllCreated;

impl ResourceValues for AllCreated {
    fn reference(&self, logical_id: &str) -> Option<String> {
        Some(format!("ref-{logical_id}"))
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        Some(json!(format!("{logical_id}/{attribute}")))
    }
}

fn pseudo() -> Pseudo {
    Pseudo {
        account: "000000000000".to_owned(),
        region: "eu-west-1".to_owned(),
        stack_name: "stack".to_owned(),
        stack_id: "arn:aws:cloudformation:eu-west-1:000000000000:stack/stack/1".to_owned(),
        notification_arns: vec!["arn:topic".to_owned()],
    }
}

fn bound(text: &str, supplied: &[(&str, &str)]) -> Result<Bound, TemplateError> {
    let template = Template::parse(text)?;
    let supplied = supplied.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    template.bind_with(template.parameter_values(&supplied)?, pseudo(), types)
}

/// The error message of an invalid template.
#[track_caller]
fn error_message(text: &str, supplied: &[(&str, &str)]) -> String {
    match bound(text, supplied) {
        Ok(_) => panic!("accepted: {text}"),
        Err(error) => error.0,
    }
}

/// The resolved property `Text` of resource `A`, in a template with resource `B`, parameters `P`, `N` and `L`, a mapping and
/// two conditions.
fn text(expression: &str) -> Result<Value, TemplateError> {
    let template = format!(
        "
Parameters:
  P: {{ Type: String, Default: pea }}
  N: {{ Type: Number, Default: 5 }}
  L: {{ Type: CommaDelimitedList, Default: 'x, y,z' }}
Mappings:
  M: {{ pea: {{ size: small, list: [one, two] }} }}
Conditions:
  Yes: !Equals [!Ref P, pea]
  No: !Not [!Condition 'Yes']
Resources:
  B: {{ Type: 'Test::One::Thing' }}
  A:
    Type: Test::One::Thing
    Properties:
      Text: {expression}
"
    );
    Ok(bound(&template, &[])?.properties("A", &AllCreated)?["Text"].clone())
}

#[test]
fn functions_are_evaluated() {
    for (expression, value) in [
        ("!Ref P", json!("pea")),
        ("!Ref N", json!("5")),
        ("!Ref L", json!(["x", "y", "z"])),
        ("!Ref B", json!("ref-B")),
        ("!GetAtt B.Arn", json!("B/Arn")),
        ("!GetAtt B.Deep.Name", json!("B/Deep.Name")),
        ("!GetAtt [B, Arn]", json!("B/Arn")),
        ("{ 'Fn::GetAtt': B.Arn }", json!("B/Arn")),
        ("!Sub 'a-${P}-${B}-${B.Arn}-${!P}-${AWS::Region}-$P'", json!("a-pea-ref-B-B/Arn-${P}-eu-west-1-$P")),
        ("!Sub ['${P}${V}', { P: own, V: !Ref B }]", json!("ownref-B")),
        ("!Join ['-', [a, !Ref P, 1]]", json!("a-pea-1")),
        ("!Join [',', !Ref L]", json!("x,y,z")),
        ("!Join [',', [a, !Ref 'AWS::NoValue', b]]", json!("a,b")),
        ("!Select [1, !Ref L]", json!("y")),
        ("!Select ['0', !Split ['/', 'q/r']]", json!("q")),
        ("!Split ['/', !GetAtt B.Arn]", json!(["B", "Arn"])),
        ("!FindInMap [M, !Ref P, size]", json!("small")),
        ("!Select [1, !FindInMap [M, pea, list]]", json!("two")),
        ("!Base64 abc", json!("YWJj")),
        ("{ 'Fn::Base64': !Sub '${P}' }", json!("cGVh")),
        ("!If ['Yes', a, b]", json!("a")),
        ("!If ['No', a, !If ['Yes', c, d]]", json!("c")),
        ("!If ['No', a, !Ref 'AWS::NoValue']", json!(null)),
        ("[!If ['No', a, !Ref 'AWS::NoValue'], b]", json!(["b"])),
        ("!Ref AWS::Partition", json!("aws")),
        ("!Ref AWS::URLSuffix", json!("amazonaws.com")),
        ("!Ref AWS::AccountId", json!("000000000000")),
        ("!Ref AWS::StackName", json!("stack")),
        ("!Ref AWS::StackId", json!("arn:aws:cloudformation:eu-west-1:000000000000:stack/stack/1")),
        ("!Ref AWS::NotificationARNs", json!(["arn:topic"])),
        ("2012-10-17", json!("2012-10-17")),
        ("012345", json!("012345")),
        ("1.10", json!("1.10")),
        ("128", json!(128)),
        ("'128'", json!("128")),
        ("true", json!(true)),
        ("!!str true", json!("true")),
    ] {
        assert_eq!(text(expression), Ok(value), "{expression}");
    }
}

#[test]
fn parameter_values_are_checked_against_constraints() {
    let with = |declaration: &str| {
        format!("Resources: {{ A: {{ Type: 'Test::One::Thing' }} }}\nParameters: {{ P: {{ {declaration} }} }}")
    };
    for (declaration, value, expected) in [
        ("Type: String", None, "Parameters: [P] must have values"),
        ("Type: String, AllowedPattern: '[a-z]+'", Some("aB"), "Parameter 'P' must match pattern [a-z]+"),
        (
            "Type: String, AllowedPattern: 'a|b', ConstraintDescription: be a or b",
            Some("ab"),
            "Parameter 'P' failed to satisfy constraint: be a or b",
        ),
        ("Type: String, AllowedValues: [a, 1]", Some("2"), "Parameter 'P' must be one of AllowedValues"),
        ("Type: String, MinLength: 2", Some("a"), "Parameter 'P' must contain at least 2 characters"),
        ("Type: String, MaxLength: '2'", Some("abc"), "Parameter 'P' must contain at most 2 characters"),
        ("Type: Number", Some("x"), "Parameter 'P' must be a number"),
        ("Type: Number, MinValue: 3", Some("2"), "Parameter 'P' must be a number not less than 3"),
        ("Type: Number, MaxValue: 3", Some("3.5"), "Parameter 'P' must be a number not greater than 3"),
        ("Type: List<Number>", Some("1,b"), "Parameter 'P' must be a number"),
        ("Type: CommaDelimitedList, AllowedValues: [a, b]", Some("a,c"), "Parameter 'P' must be one of AllowedValues"),
        ("Type: String, Default: 1, AllowedValues: [2]", None, "Parameter 'P' must be one of AllowedValues"),
    ] {
        let supplied: Vec<_> = value.map(|value| ("P", value)).into_iter().collect();
        assert_eq!(error_message(&with(declaration), &supplied), expected, "{declaration}");
    }
    let unknown = error_message(&with("Type: String"), &[("P", "x"), ("Q", "x"), ("R", "x")]);
    assert_eq!(unknown, "Parameters: [Q, R] do not exist in the template");
    let template = Template::parse(&with("Type: Number, Default: 512, NoEcho: true, MinValue: 128")).unwrap();
    let declaration = &template.parameters()[0];
    assert_eq!((declaration.default.as_deref(), declaration.no_echo), (Some("512"), true));
    assert_eq!(template.parameter_values(&BTreeMap::new()).unwrap()["P"], "512");
}

#[test]
fn conditions_select_resources_outputs_and_dependencies() {
    let template = "
Parameters: { P: { Type: String } }
Conditions:
  IsOn: !And [!Equals [!Ref P, 'on'], !Or [!Equals [1, '1'], !Equals [a, b]]]
Resources:
  Last: { Type: Test::One::Thing, DependsOn: [Optional], Properties: { Text: !If [IsOn, !Ref Optional, none] } }
  Optional: { Type: Test::One::Thing, Condition: IsOn, DeletionPolicy: Retain, Metadata: { a: b } }
Outputs:
  Always: { Value: !Ref Last, Description: d, Export: { Name: !Sub '${AWS::StackName}-x' } }
  Sometimes: { Value: !GetAtt Optional.Arn, Condition: IsOn }
";
    let on = bound(template, &[("P", "on")]).unwrap();
    assert_eq!(on.resources().iter().map(|resource| &*resource.logical_id).collect::<Vec<_>>(), ["Last", "Optional"]);
    assert_eq!(on.resources()[0].depends_on.iter().collect::<Vec<_>>(), ["Optional"]);
    assert_eq!(on.resources()[1].deletion_policy, Policy::Retain);
    assert_eq!(on.resources()[1].metadata, Some(json!({ "a": "b" })));
    let outputs = on.outputs(&AllCreated).unwrap();
    assert_eq!(outputs[0].export_name.as_deref(), Some("stack-x"));
    assert_eq!((&*outputs[1].key, &*outputs[1].value), ("Sometimes", "Optional/Arn"));

    let off = bound(template, &[("P", "off")]).unwrap();
    assert_eq!(off.resources().len(), 1);
    assert!(off.resources()[0].depends_on.is_empty());
    assert_eq!(off.properties("Last", &AllCreated).unwrap(), json!({ "Text": "none" }));
    assert_eq!(off.outputs(&AllCreated).unwrap().len(), 1);

    let unresolved = template.replace("!If [IsOn, !Ref Optional, none]", "!Ref Optional");
    let expected =
        "Template format error: Unresolved resource dependencies [Optional] in the Resources block of the template";
    assert_eq!(error_message(&unresolved, &[("P", "off")]), expected);
}

#[test]
fn iam_resources_require_capabilities() {
    let needed =
        |resources: &str| Template::parse(&format!("Resources: {{ {resources} }}")).unwrap().needed_capabilities();
    assert_eq!(needed("A: { Type: 'AWS::S3::Bucket' }"), NeededCapabilities::default());
    let role = needed("A: { Type: 'AWS::IAM::Role' }, B: { Type: 'AWS::IAM::Policy', Properties: { PolicyName: x } }");
    assert_eq!(role.capabilities, ["CAPABILITY_IAM"]);
    let reason = "The following resource(s) require capabilities: [AWS::IAM::Role, AWS::IAM::Policy]";
    assert_eq!(role.reason.as_deref(), Some(reason));
    let named = needed("A: { Type: 'AWS::IAM::Role', Properties: { RoleName: x } }");
    assert_eq!(named.capabilities, ["CAPABILITY_NAMED_IAM"]);
}

#[test]
fn unknown_types_are_rejected_without_parameters() {
    let template =
        Template::parse("Resources: { A: { Type: 'AWS::S3::Bucket' }, B: { Type: 'AWS::S3::Pail' } }").unwrap();
    let expected = "Template format error: Unrecognized resource types: [AWS::S3::Pail]";
    assert_eq!(template.check_types().unwrap_err().0, expected);
}

#[test]
fn json_and_yaml_are_equivalent() {
    let yaml = "Resources:\n  B: {Type: T, Properties: {X: !Sub '${A}'}}\n  A: {Type: T}\n";
    let json = r#"{"Resources": {"B": {"Type": "T", "Properties": {"X": {"Fn::Sub": "${A}"}}}, "A": {"Type": "T"}}}"#;
    let (yaml, json) = (Template::parse(yaml).unwrap(), Template::parse(json).unwrap());
    assert_eq!(yaml, json);
    assert_eq!(yaml.document()["Resources"].as_object().unwrap().keys().collect::<Vec<_>>(), ["B", "A"]);
}

#[test]
fn template_depth_and_aliases_are_limited() {
    assert!(Template::parse(&"- ".repeat(50_000)).is_err());
    assert!(Template::parse(&"{\"a\":".repeat(50_000)).is_err());
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let one = format!("*a{}, ", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", one.repeat(10).trim_end_matches(", ")));
    }
    assert!(Template::parse(&bomb).is_err());
}

#[test]
fn transform_list_is_called_in_order() {
    let mut template = Template::parse("Transform: [One, { Name: Two, Parameters: { a: 1 } }]\nResources: {}").unwrap();
    assert_eq!(template.declared_transforms(), ["One", "Two"]);
    let first = template.next_transform().unwrap();
    assert_eq!((&*first.name, &*first.pointer, first.fragment.get("Transform")), ("One", "", None));
    template.replace("", first.fragment).unwrap();
    let second = template.next_transform().unwrap();
    assert_eq!((&*second.name, &second.parameters), ("Two", &json!({ "a": 1 })));
    template.replace("", second.fragment).unwrap();
    assert_eq!(template.next_transform(), None);
}
