//! Tests of the comparison and of the merge.

use expect_test::{Expect, expect};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::Spec;
use crate::schema::Spec as _;
use crate::types::{Cidr, OnlyAtCreate, PolicyDocument, ValueFrom};
use crate::value::{Secret, SecretSource, Unknown};

#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct DiffSample {
    /// A size.
    size: Option<i64>,
    /// A block.
    #[spec(immutable)]
    block: Option<Cidr>,
    /// Names, in any order.
    names: Option<BTreeSet<String>>,
    /// Labels.
    labels: Option<BTreeMap<String, String>>,
    /// Parts.
    parts: Option<Vec<DiffPart>>,
    /// Parts by name.
    named: Option<BTreeMap<String, DiffPart>>,
    /// A policy.
    policy: Option<PolicyDocument>,
    /// A value that only the create uses.
    initial: Option<OnlyAtCreate<DiffPart>>,
    /// A secret.
    value_from: Option<ValueFrom>,
}

#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct DiffPart {
    /// A word.
    word: String,
    /// A number.
    number: Option<i64>,
    /// A secret.
    value_from: Option<ValueFrom>,
}

fn check(desired: serde_json::Value, live: serde_json::Value, expect: Expect) {
    let changes = diff(&DiffSample::RECORD, &desired.into(), &live.into(), &["labels.external".to_owned()]);
    let lines: Vec<String> = changes
        .iter()
        .map(|c| format!("{}: {} -> {}{}", c.path, c.from, c.to, if c.immutable { " (immutable)" } else { "" }))
        .collect();
    expect.assert_eq(&lines.join("\n"));
}

#[test]
fn an_absent_field_is_unmanaged_and_null_means_the_default() {
    check(json!({}), json!({"size": 3, "labels": {"a": "b"}}), expect![""]);
    check(json!({"size": null}), json!({"size": 3}), expect!["size: 3 -> null"]);
    check(json!({"size": null}), json!({}), expect![""]);
    check(json!({"names": [], "labels": {}}), json!({}), expect![""]);
    check(json!({"labels": {}}), json!({"labels": {"a": "b"}}), expect!["labels.a: b -> null"]);
}

#[test]
fn each_type_has_its_own_comparison() {
    check(json!({"block": "10.0.0.9/24"}), json!({"block": "10.0.0.0/24"}), expect![""]);
    check(
        json!({"block": "10.0.1.0/24"}),
        json!({"block": "10.0.0.0/24"}),
        expect!["block: 10.0.0.0/24 -> 10.0.1.0/24 (immutable)"],
    );
    check(json!({"names": ["a", "b"]}), json!({"names": ["b", "a"]}), expect![""]);
    check(json!({"names": ["a"]}), json!({"names": ["b", "a"]}), expect![[r#"names: ["b","a"] -> ["a"]"#]]);
    check(
        json!({"labels": {"a": "1", "b": "2"}}),
        json!({"labels": {"a": "0", "c": "3", "external": "x"}}),
        expect![[r#"
            labels.a: 0 -> 1
            labels.b: null -> 2
            labels.c: 3 -> null"#]],
    );
}

#[test]
fn lists_of_records_compare_only_managed_fields() {
    let live = json!({"parts": [{"word": "x", "number": 0}, {"word": "y", "number": 7}]});
    check(
        json!({"parts": [{"word": "x"}, {"word": "y", "number": 8}]}),
        live.clone(),
        expect!["parts.1.number: 7 -> 8"],
    );
    check(
        json!({"parts": [{"word": "x"}]}),
        live,
        expect![[r#"parts: [{"number":0,"word":"x"},{"number":7,"word":"y"}] -> [{"word":"x"}]"#]],
    );
}

#[test]
fn a_field_that_only_the_create_uses_differs_only_from_an_absent_value() {
    check(json!({"initial": {"word": "x"}}), json!({"initial": {}}), expect![""]);
    check(json!({"initial": {"word": "x"}}), json!({}), expect![[r#"initial: null -> {"word":"x"}"#]]);
}

#[test]
fn secrets_compare_by_version_and_a_source_without_a_value_changes_nothing() {
    let changed = |version: Option<&str>, live: serde_json::Value| {
        let secret = Secret { source: SecretSource::Env("TOKEN".into()), version: version.map(str::to_owned) };
        let desired = Value::from([("valueFrom", Value::Secret(secret))]);
        !diff(&DiffSample::RECORD, &desired, &live.into(), &[]).is_empty()
    };
    let live = json!({"valueFrom": {"version": "v1"}});
    assert!(!changed(Some("v1"), live.clone()) && changed(Some("v2"), live.clone()));
    assert!(!changed(None, live) && changed(None, json!({})));
}

#[test]
fn policies_compare_in_their_canonical_form() {
    check(
        json!({"policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["a"]}]}}),
        json!({"policy": {"Statement": {"Action": "a", "Effect": "Allow"}, "Version": "2012-10-17"}}),
        expect![""],
    );
}

#[test]
fn an_unknown_value_is_neither_equal_nor_different() {
    let unknown = Value::Unknown(Unknown { waits_for: Address::new("Vpc", "main"), after_create: true });
    let desired = Value::from([("names", Value::List(vec!["a".into(), unknown]))]);
    let changes = diff(&DiffSample::RECORD, &desired, &Value::from(json!({"names": ["a"]})), &[]);
    assert_eq!(changes[0].unknown, Some(Address::new("Vpc", "main")));
    let changes = diff(&DiffSample::RECORD, &desired, &Value::from(json!({"names": ["b"]})), &[]);
    assert_eq!(changes[0].unknown, None, "the known element shows that the set differs");
}

#[test]
fn merge_keeps_unset_and_ignored_fields() {
    let desired = json!({"size": 1, "labels": {"a": "1", "external": "mine"}, "parts": [{"word": "z"}]}).into();
    let parts = json!([{"word": "x", "number": 5}]);
    let live = json!({"size": 2, "block": "10.0.0.0/8", "labels": {"external": "x"}, "parts": parts});
    let merged = merge(&DiffSample::RECORD, &desired, &live.into(), &["labels.external".to_owned()]);
    expect![[r#"{"block":"10.0.0.0/8","labels":{"a":"1","external":"x"},"parts":[{"number":5,"word":"z"}],"size":1}"#]]
        .assert_eq(&merged.json().to_string());
}

#[test]
fn merge_keeps_unset_fields_of_the_records_in_a_map() {
    let desired = json!({"named": {"a": {"word": "x"}, "b": {"word": "y", "number": 2}, "new": {"word": "z"}}});
    let live = json!({"named": {"a": {"word": "w", "number": 1}, "b": {"word": "y", "number": 1,
        "valueFrom": {"version": "v1"}}, "old": {"word": "v"}}});
    expect![[r#"{"named":{"a":{"number":1,"word":"x"},"b":{"number":2,"word":"y"},"new":{"word":"z"}}}"#]]
        .assert_eq(&merge(&DiffSample::RECORD, &desired.into(), &live.into(), &[]).json().to_string());
}

/// A record whose fields are compared in particular ways.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct CompareSample {
    /// Behaviours, in their order.
    behaviors: Option<Vec<Behavior>>,
    /// Containers, in any order.
    containers: Option<Vec<Container>>,
    /// Rules.
    rules: Option<BTreeSet<Rule>>,
    /// A class.
    #[spec(immutable, default = "STANDARD")]
    class: Option<String>,
    /// A pool that AWS chooses.
    #[spec(immutable)]
    pool: Option<String>,
    /// A parent.
    #[spec(immutable, default = null)]
    parent: Option<String>,
    /// A number of days.
    #[spec(default = 30)]
    days: Option<i64>,
    /// A description.
    description: Option<String>,
    /// A size.
    #[spec(spelling = CpuUnits)]
    cpu: Option<String>,
    /// Whether monitoring is on.
    #[spec(default = false)]
    monitoring: Option<bool>,
    /// A role of the monitoring.
    #[spec(when = "monitoring")]
    role: Option<String>,
    /// A mode.
    mode: Option<String>,
    /// A window of two modes.
    #[spec(when("mode" = ["a", "b"]))]
    window: Option<i64>,
    /// A version.
    #[spec(upgraded_by = "upgrades")]
    version: Option<String>,
    /// Whether AWS upgrades.
    #[spec(default = true)]
    upgrades: Option<bool>,
    /// Further names.
    #[spec(implied = "mode", spelling = DomainName)]
    names: Option<BTreeSet<String>>,
}

#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "path", ordered)]
struct Behavior {
    /// A path.
    path: String,
    /// A function.
    function: Option<String>,
}

#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["name", "protocol"], exclusive = ["image", "build"])]
struct Container {
    /// A name.
    name: String,
    /// A protocol.
    #[spec(default = "tcp")]
    protocol: Option<String>,
    /// An image.
    image: Option<String>,
    /// A build.
    build: Option<String>,
    /// Whether the container is essential.
    #[spec(default = true)]
    essential: Option<bool>,
}

#[derive(Serialize, Deserialize, Spec, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
#[spec(key = "port")]
struct Rule {
    /// A port.
    port: i64,
    /// A description.
    description: Option<String>,
}

fn compared(desired: serde_json::Value, live: serde_json::Value) -> String {
    let changes = diff(&CompareSample::RECORD, &desired.into(), &live.into(), &[]);
    let line =
        |c: &Change| format!("{}: {} -> {}{}", c.path, c.from, c.to, if c.immutable { " (immutable)" } else { "" });
    changes.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn merged(desired: serde_json::Value, live: serde_json::Value, ignore: &[&str]) -> serde_json::Value {
    let ignore: Vec<String> = ignore.iter().map(ToString::to_string).collect();
    merge(&CompareSample::RECORD, &desired.into(), &live.into(), &ignore).json()
}

#[test]
fn elements_are_matched_by_their_identity() {
    let live = json!({"behaviors": [{"path": "/admin", "function": "login"}, {"path": "/static"}]});
    let swapped = json!({"behaviors": [{"path": "/static"}, {"path": "/admin"}]});
    assert_eq!(compared(json!({"behaviors": [{"path": "/admin"}, {"path": "/static"}]}), live.clone()), "");
    assert!(compared(swapped.clone(), live.clone()).starts_with("behaviors: "), "their order has a meaning");
    let fields = json!([{"path": "/static"}, {"path": "/admin", "function": "login"}]);
    assert_eq!(merged(swapped.clone(), live.clone(), &[])["behaviors"], fields, "the function stays with its path");
    assert_eq!(
        merged(swapped, live.clone(), &["behaviors.1.function"])["behaviors"],
        fields,
        "also when it is ignored"
    );
    let one = json!({"behaviors": [{"path": "/new"}, {"path": "/admin"}]});
    assert_eq!(merged(one, live, &[])["behaviors"][1]["function"], "login", "also in a list of another length");

    let live =
        json!({"containers": [{"name": "b", "protocol": "tcp", "image": "x:1", "essential": true}, {"name": "a"}]});
    assert_eq!(compared(json!({"containers": [{"name": "a"}, {"name": "b", "image": "x:1"}]}), live.clone()), "");
    let edited = json!({"containers": [{"name": "a"}, {"name": "b", "build": "."}]});
    assert_eq!(compared(edited.clone(), live.clone()), "containers.1.build: null -> .");
    let null = json!({"containers": [{"name": "a"}, {"name": "b", "image": "x:1", "build": null}]});
    assert_eq!(compared(null.clone(), live.clone()), "");
    let other = json!({"containers": [{"name": "b", "protocol": "tcp", "build": "."}, {"name": "a"}]});
    assert_eq!(merged(null, other, &[])["containers"][1]["build"], json!(null), "null beside another field");
    let built = json!({"name": "b", "protocol": "tcp", "build": ".", "essential": true});
    assert_eq!(merged(edited, live, &[])["containers"][1], built, "a container has either an image or a build");
}

#[test]
fn the_elements_of_a_set_compare_only_managed_fields() {
    let live = json!({"rules": [{"port": 1, "description": "a"}, {"port": 2}]});
    assert_eq!(compared(json!({"rules": [{"port": 2, "description": ""}, {"port": 1}]}), live.clone()), "");
    assert!(!compared(json!({"rules": [{"port": 1}]}), live.clone()).is_empty());
    assert!(!compared(json!({"rules": [{"port": 1, "description": "b"}, {"port": 2}]}), live.clone()).is_empty());
    let fields = json!([{"port": 1, "description": "a"}, {"port": 3}]);
    assert_eq!(merged(json!({"rules": [{"port": 1}, {"port": 3}]}), live, &[])["rules"], fields);
}

#[test]
fn null_is_awss_default() {
    for (field, default, other) in [("class", json!("STANDARD"), json!("RARE")), ("days", json!(30), json!(7))] {
        let is = |value: &serde_json::Value| json!({ field: value });
        assert_eq!(compared(is(&json!(null)), is(&default)), "");
        assert_eq!(compared(is(&default), json!({})), "", "a response without the field");
        assert!(!compared(is(&json!(null)), is(&other)).is_empty());
        assert_eq!(merged(is(&json!(null)), is(&other), &[])[field], default, "an update restores the default");
    }
    assert_eq!(compared(json!({"pool": null}), json!({"pool": "amazon"})), "", "the default is not known");
    assert_eq!(compared(json!({"parent": null}), json!({"parent": "a"})), "parent: a -> null (immutable)");
    assert_eq!(compared(json!({"description": ""}), json!({})), "");
    assert_eq!(compared(json!({"description": null}), json!({"description": ""})), "");
    assert_eq!(compared(json!({"description": ""}), json!({"description": "a"})), "description: a -> ");
    let nullable: Vec<_> = CompareSample::RECORD.fields.iter().filter(|f| !f.is_nullable()).map(|f| f.name).collect();
    assert_eq!(nullable, ["pool"]);
}

#[test]
fn a_spelling_makes_no_difference() {
    assert_eq!(compared(json!({"cpu": ".25 vCPU"}), json!({"cpu": "256"})), "");
    assert_eq!(compared(json!({"cpu": ".5 vCPU"}), json!({"cpu": "256"})), "cpu: 256 -> .5 vCPU");
    let names = json!({"mode": "example.com", "names": ["Example.com.", "www.example.com"]});
    assert_eq!(compared(names, json!({"mode": "example.com", "names": ["WWW.example.com"]})), "");
}

#[test]
fn a_field_without_effect_is_not_compared() {
    let desired = |on: bool| json!({"monitoring": on, "role": "b"});
    assert_eq!(compared(desired(false), json!({"monitoring": false, "role": "a"})), "");
    assert_eq!(compared(desired(false), json!({"monitoring": false})), "");
    assert_eq!(compared(json!({"role": "b"}), json!({})), "", "the default of the condition is false");
    assert_eq!(compared(json!({"role": "b"}), json!({"monitoring": true})), "role: null -> b");
    assert_eq!(compared(desired(true), json!({})), "monitoring: null -> true\nrole: null -> b");
    assert_eq!(merged(desired(false), json!({"role": "a"}), &[])["role"], "a");
    let window = |mode: &str| compared(json!({"mode": mode, "window": 5}), json!({"mode": mode}));
    assert_eq!((window("a").as_str(), window("c").as_str()), ("window: null -> 5", ""));
}

#[test]
fn a_version_that_aws_raised_is_kept() {
    let live = json!({"version": "7.1"});
    assert_eq!(compared(json!({"version": "7.0"}), live.clone()), "");
    assert_eq!(merged(json!({"version": "7.0"}), live.clone(), &[])["version"], "7.1");
    assert_eq!(compared(json!({"version": "7.2"}), live.clone()), "version: 7.1 -> 7.2");
    assert_eq!(compared(json!({"version": "6.2"}), live.clone()), "version: 7.1 -> 6.2");
    assert_eq!(
        compared(json!({"version": "7.0", "upgrades": false}), live),
        "version: 7.1 -> 7.0\nupgrades: null -> false"
    );
}

#[test]
fn an_arn_and_the_name_at_its_end_are_one_resource() {
    let same = |kind, desired: &str, live: &str| {
        let ty = Type::Reference { kind, attribute: "arn", after_create: false };
        equal(&ty, None, &desired.into(), &live.into())
    };
    let role = "arn:aws:iam::123456789012:role/app";
    assert!(same("Role", "app", role) && same("Role", role, "app") && same("Role", "role/app", role));
    assert!(!same("Role", "pp", role) && !same("Role", "", role));
    let key = "arn:aws:kms:us-east-1:123456789012:key/1";
    assert!(same("Key", "alias/shop", key) && same("Key", "1", key) && !same("Role", "alias/shop", key));
}
