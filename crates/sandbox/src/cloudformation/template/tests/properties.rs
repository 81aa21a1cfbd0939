//! Property-based tests of templates.

use proptest::prelude::*;
use serde_json::Map;

use super::*;

/// Values of a property, without functions and null.
fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[A-Q][a-z]{0,5}", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

proptest! {
    #[test]
    fn parser_never_panics(text in "[\\[\\]{}:,!&*'\"a-z \\n-]{0,80}") {
        let _ = Template::parse(&text);
    }

    #[test]
    fn values_without_functions_are_unchanged(document in documents()) {
        let template = json!({ "Resources": { "A": { "Type": "Test::One::Thing", "Properties": { "Anything": document } } } });
        let bound = bound(&template.to_string(), &[]).unwrap();
        prop_assert_eq!(&bound.properties("A", &AllCreated).unwrap()["Anything"], &document);
    }

    #[test]
    fn split_inverts_join(parts in prop::collection::vec("[a-z]{0,5}", 1..6)) {
        let joined = json!({ "Fn::Join": ["/", parts.clone()] });
        let expression = json!({ "Fn::Split": ["/", joined] });
        prop_assert_eq!(text(&expression.to_string()).unwrap(), json!(parts));
    }

    #[test]
    fn sub_preserves_text_without_variables(content in "[a-z$ .:}/]{0,20}") {
        prop_assert_eq!(text(&json!({ "Fn::Sub": content.clone() }).to_string()).unwrap(), json!(content));
    }

    /// Each edge goes from a later resource to an earlier one, so the graph is acyclic; one reversed edge adds a cycle.
    #[test]
    fn only_dependency_cycles_are_rejected(edges in prop::collection::vec((1_usize..8, 0_usize..8), 0..16)) {
        let mut resources = Map::new();
        for index in 0..8 {
            let dependencies: Vec<_> = edges.iter().filter(|(from, to)| *from == index && to < from).map(|(_, to)| format!("R{to}")).collect();
            resources.insert(format!("R{index}"), json!({ "Type": "Test::One::Thing", "DependsOn": dependencies }));
        }
        let acyclic = json!({ "Resources": resources });
        prop_assert!(bound(&acyclic.to_string(), &[]).is_ok());
        if let Some((from, to)) = edges.iter().find(|(from, to)| to < from) {
            resources[&format!("R{to}")]["Properties"] = json!({ "Text": { "Ref": format!("R{from}") } });
            let message = error_message(&json!({ "Resources": resources }).to_string(), &[]);
            prop_assert!(message.starts_with("Circular dependency between resources: ["));
            let both = [format!("R{from}"), format!("R{to}")];
            prop_assert!(both.iter().all(|name| message.contains(name)));
        }
    }
}
