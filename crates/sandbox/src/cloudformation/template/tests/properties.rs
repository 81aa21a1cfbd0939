//! What holds of templates whatever is in them.

use proptest::prelude::*;
use serde_json::Map;

use super::*;

/// Documents as they may stand in a property, without functions and without null.
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
    fn no_text_brings_the_reader_down(text in "[\\[\\]{}:,!&*'\"a-z \\n-]{0,80}") {
        let _ = Template::parse(&text);
    }

    #[test]
    fn what_has_no_functions_stays_as_it_is(document in documents()) {
        let template = json!({ "Resources": { "A": { "Type": "Test::One::Thing", "Properties": { "Anything": document } } } });
        let bound = bound(&template.to_string(), &[]).unwrap();
        prop_assert_eq!(&bound.properties("A", &AllMade).unwrap()["Anything"], &document);
    }

    #[test]
    fn split_undoes_join(parts in prop::collection::vec("[a-z]{0,5}", 1..6)) {
        let joined = json!({ "Fn::Join": ["/", parts.clone()] });
        let expression = json!({ "Fn::Split": ["/", joined] });
        prop_assert_eq!(text(&expression.to_string()).unwrap(), json!(parts));
    }

    #[test]
    fn sub_keeps_a_text_without_variables(text_ in "[a-z$ .:}/]{0,20}") {
        prop_assert_eq!(text(&json!({ "Fn::Sub": text_.clone() }).to_string()).unwrap(), json!(text_));
    }

    /// Each edge goes from a later resource to an earlier one, so that there is an order; one edge back makes a circle.
    #[test]
    fn circles_are_found_and_nothing_else_is(edges in prop::collection::vec((1_usize..8, 0_usize..8), 0..16)) {
        let mut resources = Map::new();
        for place in 0..8 {
            let needed: Vec<_> = edges.iter().filter(|(from, to)| *from == place && to < from).map(|(_, to)| format!("R{to}")).collect();
            resources.insert(format!("R{place}"), json!({ "Type": "Test::One::Thing", "DependsOn": needed }));
        }
        let straight = json!({ "Resources": resources });
        prop_assert!(bound(&straight.to_string(), &[]).is_ok());
        if let Some((from, to)) = edges.iter().find(|(from, to)| to < from) {
            resources[&format!("R{to}")]["Properties"] = json!({ "Text": { "Ref": format!("R{from}") } });
            let refused = refusal(&json!({ "Resources": resources }).to_string(), &[]);
            prop_assert!(refused.starts_with("Circular dependency between resources: ["));
            let both = [format!("R{from}"), format!("R{to}")];
            prop_assert!(both.iter().all(|name| refused.contains(name)));
        }
    }
}
