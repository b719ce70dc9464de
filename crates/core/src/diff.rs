//! The only comparator: the differences between a resolved spec and a live spec, field by field.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::address::Address;
use crate::schema::{Record, Type};
use crate::value::Value;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The path of the field: `healthCheckPath`, `tags.team`, `containerDefinitions.0.image`.
    pub path: String,
    /// The live value; null when the field has none.
    pub from: Value,
    /// The desired value; null for AWS's default.
    pub to: Value,
    /// True when the field cannot be changed in place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub immutable: bool,
    /// The resource that the desired value waits for, while it is not known whether the field differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Address>,
}

impl Change {
    /// Returns a known change of a field that can be changed in place.
    pub(crate) fn new(path: &str, from: Value, to: Value) -> Self {
        Change { path: path.to_owned(), from, to, immutable: false, unknown: None }
    }

    /// Returns the field of the kind's record with which the path begins.
    pub fn field(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }
}

/// Returns the fields that differ. A field that is absent in `desired` is unmanaged. `ignore` lists paths that another
/// process or a person controls.
pub fn diff(record: &Record, desired: &Value, live: &Value, ignore: &[String]) -> Vec<Change> {
    let mut changes = vec![];
    compare_record(record, desired, live, "", false, &mut changes);
    changes.retain(|change| !ignore.iter().any(|path| is_below(&change.path, path)));
    changes
}

/// Returns the differences between two maps of tags, under the path `tags`.
pub fn diff_tags(desired: &Value, live: &Value, ignore: &[String]) -> Vec<Change> {
    let mut changes = vec![];
    compare(&Type::Map(&Type::Text), desired, live, "tags", false, &mut changes);
    changes.retain(|change| !ignore.iter().any(|path| is_below(&change.path, path)));
    changes
}

/// True when `path` is `above` or lies below it.
pub fn is_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Returns the desired spec with the live value of each unset or ignored field, for calls that replace all fields.
pub fn merge(record: &Record, desired: &Value, live: &Value, ignore: &[String]) -> Value {
    let mut merged = merge_record(record, desired, live);
    for path in ignore {
        put(&mut merged, path, live.at(path).cloned());
    }
    merged
}

/// Returns the canonical form of a value: canonical types in their one form, sets sorted, records without nulls.
pub fn normal(ty: &Type, value: &Value) -> Value {
    match (ty, value) {
        (Type::Canonical { canonical, .. }, _) if value.unknown().is_none() => {
            canonical(value).unwrap_or_else(|_| value.clone())
        }
        (Type::Set(of), Value::List(list)) => {
            let mut list: Vec<Value> = list.iter().map(|v| normal(of, v)).collect();
            list.sort_by_key(|v| v.json().to_string());
            list.dedup();
            Value::List(list)
        }
        (Type::List(of), Value::List(list)) => Value::List(list.iter().map(|v| normal(of, v)).collect()),
        (Type::Map(of), Value::Map(map)) => Value::Map(map.iter().map(|(k, v)| (k.clone(), normal(of, v))).collect()),
        (Type::Record(record), Value::Map(map)) => Value::Map(
            map.iter()
                .filter(|(_, v)| **v != Value::Null)
                .map(|(k, v)| (k.clone(), record.field(k).map_or_else(|| v.clone(), |f| normal(&f.ty, v))))
                .collect(),
        ),
        (Type::Number, Value::Integer(n)) => Value::Number(*n as f64),
        _ => value.clone(),
    }
}

fn compare_record(record: &Record, desired: &Value, live: &Value, path: &str, immutable: bool, out: &mut Vec<Change>) {
    for field in record.fields {
        if let Some(desired) = desired.get(field.name) {
            let live = live.get(field.name).unwrap_or(&Value::Null);
            if field.only_at_create {
                if *live == Value::Null && *desired != Value::Null {
                    let (path, from) = (join(path, field.name), Value::Null);
                    out.push(Change { path, from, to: desired.clone(), immutable: false, unknown: None });
                }
                continue;
            }
            let immutable = immutable || field.is_replaced_by(desired);
            compare(&field.ty, desired, live, &join(path, field.name), immutable, out);
        }
    }
}

fn compare(ty: &Type, desired: &Value, live: &Value, path: &str, immutable: bool, out: &mut Vec<Change>) {
    let change = |unknown: Option<Address>| Change {
        path: path.to_owned(),
        from: live.clone(),
        to: desired.clone(),
        immutable,
        unknown,
    };
    match (ty, desired, live) {
        (_, Value::Unknown(unknown), _) => out.push(change(Some(unknown.waits_for.clone()))),
        (_, desired, live) if desired.is_empty() && live.is_empty() => {}
        // A source without a value does not change the live secret.
        (Type::Secret, Value::Secret(desired), live) => {
            let live = live.get("version").and_then(Value::text);
            if live.is_none() || desired.version.is_some() && desired.version.as_deref() != live {
                out.push(change(None));
            }
        }
        (Type::Record(record), Value::Map(_), Value::Map(_)) => {
            compare_record(record, desired, live, path, immutable, out);
        }
        (Type::Map(of), Value::Map(desired), Value::Map(_) | Value::Null) => {
            let live = live.map().cloned().unwrap_or_default();
            for (key, value) in desired {
                compare(of, value, live.get(key).unwrap_or(&Value::Null), &join(path, key), immutable, out);
            }
            for (key, value) in live.iter().filter(|(key, _)| !desired.contains_key(*key)) {
                compare(of, &Value::Null, value, &join(path, key), immutable, out);
            }
        }
        // In lists of records of the same length, only the managed fields of each element are compared.
        (Type::List(of @ Type::Record(_)), Value::List(desired), Value::List(live)) if desired.len() == live.len() => {
            for (i, (desired, live)) in desired.iter().zip(live).enumerate() {
                compare(of, desired, live, &join(path, &i.to_string()), immutable, out);
            }
        }
        (Type::Set(of), Value::List(items), Value::List(_) | Value::Null) if desired.unknown().is_some() => {
            // A missing known element shows that the set differs. Only the unknown elements can show that it does not.
            let (known, unknown): (Vec<_>, Vec<_>) = items.iter().cloned().partition(|v| v.unknown().is_none());
            let live = elements(of, live);
            let missing = elements(of, &Value::List(known)).into_iter().any(|v| !live.contains(&v));
            let waits_for = unknown.iter().find_map(Value::unknown).map(|u| u.waits_for.clone());
            out.push(change(waits_for.filter(|_| !missing || immutable)));
        }
        _ => match desired.unknown() {
            Some(unknown) => out.push(change(Some(unknown.waits_for.clone()))),
            None if normal(ty, desired) != normal(ty, live) => out.push(change(None)),
            None => {}
        },
    }
}

fn elements(of: &Type, value: &Value) -> Vec<Value> {
    match value {
        Value::List(list) => list.iter().map(|v| normal(of, v)).collect(),
        _ => vec![],
    }
}

fn merge_record(record: &Record, desired: &Value, live: &Value) -> Value {
    let mut merged: BTreeMap<String, Value> = live.map().cloned().unwrap_or_default();
    for (key, desired) in desired.map().into_iter().flatten() {
        let live = live.get(key).unwrap_or(&Value::Null);
        let value = match record.field(key).map(|f| &f.ty) {
            Some(ty) => merge_value(ty, desired, live),
            None => desired.clone(),
        };
        merged.insert(key.clone(), value);
    }
    Value::Map(merged)
}

fn merge_value(ty: &Type, desired: &Value, live: &Value) -> Value {
    match (ty, desired, live) {
        (Type::Record(record), Value::Map(_), Value::Map(_)) => merge_record(record, desired, live),
        // By key: an entry that the document does not contain is removed, and the others keep their unset fields.
        (Type::Map(of), Value::Map(desired), Value::Map(live)) => {
            let merged = |(key, desired): (&String, &Value)| {
                let live = live.get(key).map(|live| without_handles(of, live));
                let value = live.map_or_else(|| desired.clone(), |live| merge_value(of, desired, &live));
                (key.clone(), value)
            };
            Value::Map(desired.iter().map(merged).collect())
        }
        (Type::List(of @ Type::Record(_)), Value::List(desired), Value::List(live)) if desired.len() == live.len() => {
            Value::List(desired.iter().zip(live).map(|(desired, live)| merge_value(of, desired, live)).collect())
        }
        _ => desired.clone(),
    }
}

/// Returns the live element of a map without the fields whose live value only shows that a value exists: secrets, and
/// fields that only the create uses. Such a live value cannot be sent, and would remain beside the value that replaces
/// it.
fn without_handles(ty: &Type, live: &Value) -> Value {
    match (ty, live) {
        (Type::Record(record), Value::Map(fields)) => {
            let is_handle =
                |name: &str| record.field(name).is_some_and(|f| f.only_at_create || matches!(f.ty, Type::Secret));
            Value::Map(fields.iter().filter(|(k, _)| !is_handle(k)).map(|(k, v)| (k.clone(), v.clone())).collect())
        }
        _ => live.clone(),
    }
}

fn put(value: &mut Value, path: &str, new: Option<Value>) {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    match (value, rest) {
        (Value::Map(map), None) => {
            match new {
                Some(new) => map.insert(step.to_owned(), new),
                None => map.remove(step),
            };
        }
        (Value::Map(map), Some(rest)) => {
            if let Some(inner) = map.get_mut(step) {
                put(inner, rest, new);
            }
        }
        (Value::List(list), rest) => {
            let slot = step.parse::<usize>().ok().and_then(|i| list.get_mut(i));
            match (slot, rest, new) {
                (Some(slot), None, Some(new)) => *slot = new,
                (Some(slot), Some(rest), new) => put(slot, rest, new),
                _ => {}
            }
        }
        _ => {}
    }
}

fn join(path: &str, step: &str) -> String {
    if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") }
}

#[cfg(test)]
mod tests {
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
        expect![[
            r#"{"block":"10.0.0.0/8","labels":{"a":"1","external":"x"},"parts":[{"number":5,"word":"z"}],"size":1}"#
        ]]
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
}
