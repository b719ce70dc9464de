//! What differs between a resolved spec and a live one, field by field: the only comparator there is.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::address::Address;
use crate::schema::{Record, Type};
use crate::value::Value;

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Where: `healthCheckPath`, `tags.team`, `containerDefinitions.0.image`.
    pub path: String,
    /// What is there; null when nothing is.
    pub from: Value,
    /// What is to be there; null for AWS's default.
    pub to: Value,
    /// True when this field cannot be changed in place.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub immutable: bool,
    /// Set when it cannot be told yet whether it differs: the resource it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Address>,
}

impl Change {
    /// The field of the kind's record that the path begins with.
    pub fn field(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }
}

/// What differs. Absent in `desired` means unmanaged; `ignore` holds paths that belong to somebody else.
pub fn diff(record: &Record, desired: &Value, live: &Value, ignore: &[String]) -> Vec<Change> {
    let mut changes = vec![];
    compare_record(record, desired, live, "", false, &mut changes);
    changes.retain(|change| !ignore.iter().any(|path| is_below(&change.path, path)));
    changes
}

/// What differs between two maps of tags, under the path `tags`.
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

/// The desired spec, with the live value wherever it is unset or ignored: what a full replacement sends.
pub fn merge(record: &Record, desired: &Value, live: &Value, ignore: &[String]) -> Value {
    let mut merged = merge_record(record, desired, live);
    for path in ignore {
        put(&mut merged, path, live.at(path).cloned());
    }
    merged
}

/// The one spelling of a value of a type: canonical forms, sets in order, nothing that is null.
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
        if let Some(wanted) = desired.get(field.name) {
            let there = live.get(field.name).unwrap_or(&Value::Null);
            if field.once {
                if *there == Value::Null && *wanted != Value::Null {
                    let (path, from) = (join(path, field.name), Value::Null);
                    out.push(Change { path, from, to: wanted.clone(), immutable: false, unknown: None });
                }
                continue;
            }
            compare(&field.ty, wanted, there, &join(path, field.name), immutable || field.immutable, out);
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
        // A source that has no value leaves alone what is there.
        (Type::Secret, Value::Secret(wanted), live) => {
            let there = live.get("version").and_then(Value::text);
            if there.is_none() || wanted.version.is_some() && wanted.version.as_deref() != there {
                out.push(change(None));
            }
        }
        (Type::Record(record), Value::Map(_), Value::Map(_)) => {
            compare_record(record, desired, live, path, immutable, out);
        }
        (Type::Map(of), Value::Map(wanted), Value::Map(_) | Value::Null) => {
            let there = live.map().cloned().unwrap_or_default();
            for (key, value) in wanted {
                compare(of, value, there.get(key).unwrap_or(&Value::Null), &join(path, key), immutable, out);
            }
            for (key, value) in there.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                compare(of, &Value::Null, value, &join(path, key), immutable, out);
            }
        }
        // Lists of records of the same length: only what is managed in each is compared.
        (Type::List(of @ Type::Record(_)), Value::List(wanted), Value::List(there)) if wanted.len() == there.len() => {
            for (i, (wanted, there)) in wanted.iter().zip(there).enumerate() {
                compare(of, wanted, there, &join(path, &i.to_string()), immutable, out);
            }
        }
        (Type::Set(of), Value::List(wanted), Value::List(_) | Value::Null) if desired.unknown().is_some() => {
            // The known elements can tell that it differs; that it does not, only the unknown ones can.
            let (known, unknown): (Vec<_>, Vec<_>) = wanted.iter().cloned().partition(|v| v.unknown().is_none());
            let there = elements(of, live);
            let missing = elements(of, &Value::List(known)).into_iter().any(|v| !there.contains(&v));
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
    for (key, wanted) in desired.map().into_iter().flatten() {
        let there = live.get(key).unwrap_or(&Value::Null);
        let value = match record.field(key).map(|f| &f.ty) {
            Some(ty) => merge_value(ty, wanted, there),
            None => wanted.clone(),
        };
        merged.insert(key.clone(), value);
    }
    Value::Map(merged)
}

fn merge_value(ty: &Type, desired: &Value, live: &Value) -> Value {
    match (ty, desired, live) {
        (Type::Record(record), Value::Map(_), Value::Map(_)) => merge_record(record, desired, live),
        // By key: what is not wanted any more goes, and what stays keeps what nobody states of it.
        (Type::Map(of), Value::Map(wanted), Value::Map(there)) => {
            let merged = |(key, wanted): (&String, &Value)| {
                let there = there.get(key).map(|there| without_handles(of, there));
                let value = there.map_or_else(|| wanted.clone(), |there| merge_value(of, wanted, &there));
                (key.clone(), value)
            };
            Value::Map(wanted.iter().map(merged).collect())
        }
        (Type::List(of @ Type::Record(_)), Value::List(wanted), Value::List(there)) if wanted.len() == there.len() => {
            Value::List(wanted.iter().zip(there).map(|(w, t)| merge_value(of, w, t)).collect())
        }
        _ => desired.clone(),
    }
}

/// The live element of a map without what only stands for a value: of secrets and of what is made once AWS tells
/// no more than that they are there, which is nothing to send, and would stand beside what takes their place.
fn without_handles(ty: &Type, live: &Value) -> Value {
    match (ty, live) {
        (Type::Record(record), Value::Map(fields)) => {
            let is_handle = |name: &str| record.field(name).is_some_and(|f| f.once || matches!(f.ty, Type::Secret));
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
    use crate::types::{Cidr, Once, Policy, ValueFrom};
    use crate::value::{Secret, Source, Unknown};

    #[derive(Serialize, Deserialize, Spec)]
    #[serde(rename_all = "camelCase")]
    struct Thing {
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
        parts: Option<Vec<Part>>,
        /// Parts by name.
        named: Option<BTreeMap<String, Part>>,
        /// Who may.
        policy: Option<Policy>,
        /// Made once.
        made: Option<Once<Part>>,
        /// A secret.
        value_from: Option<ValueFrom>,
    }

    #[derive(Serialize, Deserialize, Spec)]
    #[serde(rename_all = "camelCase")]
    struct Part {
        /// A word.
        word: String,
        /// A number.
        number: Option<i64>,
        /// A secret.
        value_from: Option<ValueFrom>,
    }

    fn check(desired: serde_json::Value, live: serde_json::Value, expect: Expect) {
        let changes = diff(&Thing::RECORD, &desired.into(), &live.into(), &["labels.theirs".to_owned()]);
        let lines: Vec<String> = changes
            .iter()
            .map(|c| format!("{}: {} -> {}{}", c.path, c.from, c.to, if c.immutable { " (immutable)" } else { "" }))
            .collect();
        expect.assert_eq(&lines.join("\n"));
    }

    #[test]
    fn absent_is_unmanaged_and_null_is_the_default() {
        check(json!({}), json!({"size": 3, "labels": {"a": "b"}}), expect![""]);
        check(json!({"size": null}), json!({"size": 3}), expect!["size: 3 -> null"]);
        check(json!({"size": null}), json!({}), expect![""]);
        check(json!({"names": [], "labels": {}}), json!({}), expect![""]);
        check(json!({"labels": {}}), json!({"labels": {"a": "b"}}), expect!["labels.a: b -> null"]);
    }

    #[test]
    fn each_type_is_compared_in_its_way() {
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
            json!({"labels": {"a": "0", "c": "3", "theirs": "x"}}),
            expect![[r#"
                labels.a: 0 -> 1
                labels.b: null -> 2
                labels.c: 3 -> null"#]],
        );
    }

    #[test]
    fn lists_of_records_compare_what_is_managed() {
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
    fn what_is_made_once_is_compared_with_nothing_only() {
        check(json!({"made": {"word": "x"}}), json!({"made": {}}), expect![""]);
        check(json!({"made": {"word": "x"}}), json!({}), expect![[r#"made: null -> {"word":"x"}"#]]);
    }

    #[test]
    fn secrets_compare_by_version_and_a_source_without_a_value_leaves_them_alone() {
        let changed = |version: Option<&str>, live: serde_json::Value| {
            let secret = Secret { source: Source::Env("TOKEN".into()), version: version.map(str::to_owned) };
            let desired = Value::from([("valueFrom", Value::Secret(secret))]);
            !diff(&Thing::RECORD, &desired, &live.into(), &[]).is_empty()
        };
        let live = json!({"valueFrom": {"version": "v1"}});
        assert!(!changed(Some("v1"), live.clone()) && changed(Some("v2"), live.clone()));
        assert!(!changed(None, live) && changed(None, json!({})));
    }

    #[test]
    fn policies_compare_by_meaning() {
        check(
            json!({"policy": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["a"]}]}}),
            json!({"policy": {"Statement": {"Action": "a", "Effect": "Allow"}, "Version": "2012-10-17"}}),
            expect![""],
        );
    }

    #[test]
    fn unknown_is_neither_equal_nor_different() {
        let unknown = Value::Unknown(Unknown { waits_for: Address::new("Vpc", "main"), late: true });
        let desired = Value::from([("names", Value::List(vec!["a".into(), unknown]))]);
        let changes = diff(&Thing::RECORD, &desired, &Value::from(json!({"names": ["a"]})), &[]);
        assert_eq!(changes[0].unknown, Some(Address::new("Vpc", "main")));
        let changes = diff(&Thing::RECORD, &desired, &Value::from(json!({"names": ["b"]})), &[]);
        assert_eq!(changes[0].unknown, None, "the known element is enough to tell");
    }

    #[test]
    fn merge_keeps_what_is_not_ours() {
        let desired = json!({"size": 1, "labels": {"a": "1", "theirs": "mine"}, "parts": [{"word": "z"}]}).into();
        let live =
            json!({"size": 2, "block": "10.0.0.0/8", "labels": {"theirs": "x"}, "parts": [{"word": "x", "number": 5}]})
                .into();
        let merged = merge(&Thing::RECORD, &desired, &live, &["labels.theirs".to_owned()]);
        expect![[
            r#"{"block":"10.0.0.0/8","labels":{"a":"1","theirs":"x"},"parts":[{"number":5,"word":"z"}],"size":1}"#
        ]]
        .assert_eq(&merged.json().to_string());
    }

    #[test]
    fn merge_keeps_what_nobody_states_of_the_records_of_a_map() {
        let desired = json!({"named": {"a": {"word": "x"}, "b": {"word": "y", "number": 2}, "new": {"word": "z"}}});
        let live = json!({"named": {"a": {"word": "w", "number": 1}, "b": {"word": "y", "number": 1,
            "valueFrom": {"version": "v1"}}, "gone": {"word": "v"}}});
        expect![[r#"{"named":{"a":{"number":1,"word":"x"},"b":{"number":2,"word":"y"},"new":{"word":"z"}}}"#]]
            .assert_eq(&merge(&Thing::RECORD, &desired.into(), &live.into(), &[]).json().to_string());
    }
}
