//! Tests of relations: conditions, demands, and the paths of their violations.

use serde_json::json;

use super::*;
use crate::schema::{Comparison, Field, Presence};

const fn field(name: &'static str, ty: Type) -> Field {
    Field {
        name,
        doc: "",
        ty,
        presence: Presence::Optional,
        immutable: false,
        in_place: None,
        constraints: &[],
        server_default: None,
        comparison: Comparison::BY_TYPE,
        after_create: false,
        only_at_create: false,
    }
}

const ELEMENT: Record = Record { name: "Element", doc: "", fields: &[field("port", Type::Integer)], ..Record::EMPTY };
const RECORD: Record = Record {
    name: "Example",
    doc: "",
    fields: &[
        field("mode", Type::Text),
        field("window", Type::Integer),
        field("limit", Type::Integer),
        field("list", Type::List(&Type::Record(&ELEMENT))),
        field("set", Type::Set(&Type::Record(&ELEMENT))),
    ],
    ..Record::EMPTY
};

fn violations(relation: Relation, spec: serde_json::Value) -> Vec<(String, String)> {
    let found = relation.violations(&RECORD, &spec.into());
    found.into_iter().map(|violation| (violation.path, violation.message)).collect()
}

fn pair(path: &str, message: &str) -> Vec<(String, String)> {
    vec![(path.to_owned(), message.to_owned())]
}

#[test]
fn a_demand_holds_only_under_its_conditions() {
    let needs = demand(Demand::Needs("window")).when(&[Condition::Is("mode", &["FLEXIBLE"])]);
    assert_eq!(violations(needs, json!({ "mode": "OFF" })), []);
    assert_eq!(violations(needs, json!({ "mode": "FLEXIBLE", "window": 5 })), []);
    assert_eq!(
        violations(needs, json!({ "mode": "FLEXIBLE" })),
        pair("", "`window` is required when `mode` is `FLEXIBLE`")
    );
    let excludes = demand(Demand::Excludes("window")).when(&[Condition::Absent("mode")]);
    assert_eq!(
        violations(excludes, json!({ "window": 1 })),
        pair("window", "`window` must not be set when `mode` is not set")
    );
}

#[test]
fn numbers_are_compared() {
    let at_most = demand(Demand::AtMost("window", "limit"));
    assert_eq!(violations(at_most, json!({ "window": 2, "limit": 2 })), []);
    assert_eq!(
        violations(at_most, json!({ "window": 3, "limit": 2 })),
        pair("window", "`window` must not be greater than `limit`")
    );
    let exceeds = demand(Demand::Exceeds("limit", "window", 90));
    assert_eq!(violations(exceeds, json!({ "window": 30, "limit": 119 })).len(), 1);
    assert_eq!(violations(exceeds, json!({ "window": 30, "limit": 120 })), []);
}

#[test]
fn the_path_of_a_list_has_an_index_and_that_of_a_set_has_none() {
    let range = demand(Demand::Range("port", Some(1), None));
    let bad = json!([{ "port": 1 }, { "port": 0 }]);
    assert_eq!(
        violations(range.at("list.*"), json!({ "list": bad })),
        pair("list.1.port", "`port` must be at least 1")
    );
    assert_eq!(violations(range.at("set.*"), json!({ "set": bad })), pair("set", "`port` must be at least 1"));
}

#[test]
fn two_elements_with_one_key_are_found() {
    let unique = demand(Demand::Unique("list", &["port"]));
    assert_eq!(violations(unique, json!({ "list": [{ "port": 1 }, { "port": 2 }] })), []);
    assert_eq!(
        violations(unique, json!({ "list": [{ "port": 1 }, { "port": 1 }] })),
        pair("list.1.port", "no two elements of `list` may have the same `port`, but two have the `port` `1`")
    );
}

#[test]
fn a_value_that_is_not_known_violates_nothing() {
    let unknown = crate::value::Unknown { waits_for: "Vpc/a".parse().unwrap(), after_create: false };
    let spec = Value::Map([("mode".to_owned(), Value::Unknown(unknown))].into());
    for relation in [
        demand(Demand::Needs("mode")),
        demand(Demand::Excludes("mode")),
        demand(Demand::OneOf("mode", &["a"])),
        demand(Demand::Needs("window")).when(&[Condition::Is("mode", &["FLEXIBLE"])]),
    ] {
        assert_eq!(relation.violations(&RECORD, &spec), [], "{relation}");
    }
}
