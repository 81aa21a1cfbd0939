//! Error messages for invalid templates.

use super::*;

#[test]
fn invalid_functions_are_rejected_with_cloudformation_messages() {
    for (expression, expected) in [
        (
            "!Ref Nowhere",
            "Template format error: Unresolved resource dependencies [Nowhere] in the Resources block of the template",
        ),
        (
            "!Sub '${Nowhere}${Gone}'",
            "Template format error: Unresolved resource dependencies [Nowhere, Gone] in the Resources block of the template",
        ),
        ("!GetAtt Nowhere.Arn", "Template error: instance of Fn::GetAtt references undefined resource Nowhere"),
        (
            "!Sub '${Nowhere.Arn}'",
            "Template error: instance of Fn::Sub references invalid resource attribute Nowhere.Arn",
        ),
        ("!GetAtt B.Size", "Template error: resource B does not support attribute type Size in Fn::GetAtt"),
        (
            "!GetAtt B",
            "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource \
             attribute",
        ),
        (
            "!Sub '${a b}'",
            "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, \
             periods, and colons",
        ),
        (
            "!Sub [a, b]",
            "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as \
             first argument, and an optional second argument to specify a mapping of values to replace in the string",
        ),
        ("!Select [7, !Ref L]", "Template error: Fn::Select cannot select nonexistent value at index 7"),
        ("!FindInMap [M, pod, size]", "Template error: Unable to get mapping for M::pod::size"),
        (
            "!FindInMap [Q, pod, size]",
            "Template error: Mapping named 'Q' is not present in the 'Mappings' section of template.",
        ),
        ("!If [Perhaps, a, b]", "Template error: unresolved condition dependency Perhaps in Fn::If"),
        ("!Base64 [a]", "Template error: every Fn::Base64 object must have a String-typed value."),
        (
            "!Join [a]",
            "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of \
             strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined.",
        ),
        ("!ImportValue a", "Template error: the sandbox does not have the function Fn::ImportValue"),
        ("!GetAZs ''", "Template error: the sandbox does not have the function Fn::GetAZs"),
        (
            "{ 'Fn::Nonsense': a }",
            "Template error: Encountered unsupported function: Fn::Nonsense Supported functions are: [Fn::And, Fn::Base64, \
             Fn::Equals, Fn::FindInMap, Fn::GetAtt, Fn::If, Fn::Join, Fn::Not, Fn::Or, Fn::Select, Fn::Split, Fn::Sub, \
             Condition]",
        ),
        ("!Ref A", "Circular dependency between resources: [A]"),
        ("~", "Template format error: [/Resources/A/Properties/Text] 'null' values are not allowed in templates"),
    ] {
        assert_eq!(text(expression).unwrap_err().0, expected, "{expression}");
    }
}

#[test]
fn invalid_templates_are_rejected_with_cloudformation_messages() {
    let thing = "Resources: { A: { Type: 'Test::One::Thing' } }";
    for (text, expected) in [
        ("", "Template format error: unsupported structure."),
        ("just text", "Template format error: unsupported structure."),
        ("a: [", "Template format error: YAML not well-formed. (line 2, column 1)"),
        ("a: !Nonsense b", "Template format error: YAML not well-formed. (line 1, column 14)"),
        ("{\"a\": }", "Template format error: JSON not well-formed. (line 1, column 7)"),
        ("Description: none", "Template format error: At least one Resources member must be defined."),
        ("Rubbish: 1", "Invalid template property or properties [Rubbish]"),
        ("Resources: { a-b: { Type: x } }", "Template format error: Resource name a-b is non alphanumeric."),
        (
            "Resources: { A: { Properties: {} } }",
            "Template format error: [/Resources/A] Every Resources object must contain a Type member.",
        ),
        ("Resources: { A: { Type: x, Colour: red } }", "Invalid template resource property 'Colour'"),
        (
            "Resources: { A: { Type: x, UpdatePolicy: {} } }",
            "the sandbox does not support the resource property 'UpdatePolicy'",
        ),
        (
            "Resources: { A: { Type: 'AWS::No::Thing' }, B: { Type: 'AWS::No::Other' }, C: { Type: 'AWS::No::Thing' } }",
            "Template format error: Unrecognized resource types: [AWS::No::Thing, AWS::No::Other]",
        ),
        (
            "Resources: { A: { Type: 'Test::One::Thing', DependsOn: Q } }",
            "Template format error: Unresolved resource dependencies [Q] in the Resources block of the template",
        ),
        (
            "Resources: { A: { Type: 'Test::One::Thing', Condition: Q } }",
            "Template format error: Unresolved condition dependency Q in the Resources block of the template",
        ),
        (
            "Resources: { A: { Type: 'Test::One::Thing', DependsOn: B }, C: { Type: 'Test::One::Thing', DependsOn: A }, \
             B: { Type: 'Test::One::Thing', Properties: { Name: !Ref A } } }",
            "Circular dependency between resources: [A, B]",
        ),
        (
            "Resources: { A: { Type: 'Test::One::Thing', Properties: { Nmae: x, Colour: y } } }",
            "Properties validation failed for resource A with message:\n#: extraneous key [Nmae] is not permitted\n#: \
             extraneous key [Colour] is not permitted",
        ),
        (
            "Resources: { A: { Type: 'Test::One::Needy' } }",
            "Properties validation failed for resource A with message:\n#: required key [Name] not found",
        ),
        (
            "Resources: { A: { Type: 'Test::One::Thing', Properties: { Rules: [{ Days: 1 }, { Dyas: 1 }] } } }",
            "Properties validation failed for resource A with message:\n#/Rules/1: required key [Days] not found\n\
             #/Rules/1: extraneous key [Dyas] is not permitted",
        ),
        (
            &format!("{thing}\nOutputs: {{ O: {{ Value: !Ref Q }} }}"),
            "Template format error: Unresolved resource dependencies [Q] in the Outputs block of the template",
        ),
        (
            &format!("{thing}\nOutputs: {{ O: {{ Description: d }} }}"),
            "Template format error: Every Outputs member must contain a Value object",
        ),
        (
            &format!("{thing}\nConditions: {{ C: !Equals [!Ref A, a] }}"),
            "Template format error: Unresolved dependencies [A]. Cannot reference resources in the Conditions block of the \
             template",
        ),
        (
            &format!("{thing}\nConditions: {{ C: !Not [!Condition D], D: !Not [!Condition C] }}"),
            "Template format error: Found circular condition dependency between [C, D]",
        ),
        (
            &format!("{thing}\nConditions: {{ C: maybe }}"),
            "Template format error: Conditions can only be boolean operations on parameters and other conditions",
        ),
        (
            &format!("{thing}\nParameters: {{ P: {{ Type: Text }} }}"),
            "Template format error: Unrecognized parameter type: Text",
        ),
        (
            &format!("{thing}\nParameters: {{ P: {{ Type: 'AWS::SSM::Parameter::Value<String>' }} }}"),
            "Template format error: the sandbox does not have parameters of type AWS::SSM::Parameter::Value<String>",
        ),
        (
            &format!("{thing}\nParameters: {{ P: {{ Default: x }} }}"),
            "Template format error: Every Parameters object must contain a Type member.",
        ),
        (&format!("{thing}\nRules: {{}}"), "Template format error: the sandbox does not support the section Rules"),
    ] {
        assert_eq!(error_message(text, &[]), expected, "{text}");
    }
}

#[test]
fn template_limits_match_cloudformation() {
    let things: Vec<_> = (0..501).map(|index| format!("A{index}: {{ Type: 'Test::One::Thing' }}")).collect();
    assert!(bound(&format!("Resources: {{ {} }}", things[1..].join(", ")), &[]).is_ok());
    let expected = "Template format error: Number of resources, 501, is greater than maximum allowed, 500";
    assert_eq!(error_message(&format!("Resources: {{ {} }}", things.join(", ")), &[]), expected);
    let long = format!("Description: {}\nResources: {{ {} }}", "x".repeat(1025), things[0]);
    assert_eq!(error_message(&long, &[]), "Template format error: 'Description' length is greater than 1024.");
}

#[test]
fn functions_without_resources_are_checked_first() {
    let with = |text: &str| {
        format!("Resources: {{ A: {{ Type: 'Test::One::Thing', Properties: {{ Anything: {{ T: {text} }} }} }} }}")
    };
    let expected = "Template error: Fn::Select cannot select nonexistent value at index 2";
    assert_eq!(error_message(&with("!Join ['-', [a, !Select [2, [b]]]]"), &[]), expected);
    assert_eq!(
        error_message(&with("!And [!Equals [a, a], !Equals [a, a]]"), &[]),
        "Template error: Fn::And cannot be partially collapsed"
    );
}
