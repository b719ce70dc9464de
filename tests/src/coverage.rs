//! The coverage of the kinds' wire tests: the mutable fields that a table of tests/kinds changes out of band, the
//! reasons for the other ones, and the nested fields that a table states.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::table::{self, KindTable};

/// The limit of uncovered mutable fields, in percent. The share must be below it.
pub const MAX_UNCOVERED_PERCENT: usize = 5;

/// The keys of a resource that are not fields of its kind.
const COMMON_KEYS: &[&str] = &["name", "lifecycle", "forEach", "when", "region", "dependsOn", "id", "tags"];

/// The coverage of all kinds.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// The number of mutable fields: the top-level fields of every kind, and the tags of the kinds with tags.
    pub fields: usize,
    /// The mutable fields that no table changes out of band: kind, field and reason.
    pub excused: Vec<(String, String, String)>,
    /// The mutable fields without a change and without a reason, and the kinds without a table.
    pub uncovered: Vec<String>,
    /// The fields with a redundant reason: another table covers the field, or the kind has no such mutable field.
    pub redundant: Vec<String>,
    /// The number of fields that hold a value, including the fields of nested records. A list or map counts once.
    pub values: usize,
    /// The fields that no table states, by kind. They are never sent to the sandbox, and never read back.
    pub unstated: BTreeMap<String, BTreeSet<String>>,
}

impl Coverage {
    /// Returns the coverage of all kinds. `kinds` is the output of `explain -o json`, `schema` the output of `schema`.
    ///
    /// # Errors
    /// Returns an error when a table cannot be read.
    pub fn of(kinds: &Value, schema: &Value) -> anyhow::Result<Coverage> {
        let mut tables: BTreeMap<String, Vec<KindTable>> = BTreeMap::new();
        for name in table::names()? {
            tables.entry(table::kind(&name).to_owned()).or_default().push(table::read(&name)?);
        }
        let mut all = Coverage::default();
        for kind in kinds.as_array().into_iter().flatten() {
            let name = kind["kind"].as_str().unwrap_or_default();
            all.add_fields(name, kind, tables.get(name).map_or(&[], Vec::as_slice));
            all.add_values(name, kind, &schema["$defs"][format!("fields.{name}")]["properties"], &tables);
        }
        Ok(all)
    }

    fn add_fields(&mut self, name: &str, kind: &Value, tables: &[KindTable]) {
        let mutable = kind["mutable"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mutable: BTreeSet<&str> = mutable.collect();
        let write_only = kind["writeOnly"].as_object().into_iter().flatten();
        let write_only: Vec<(&str, &str)> =
            write_only.map(|(field, why)| (field.as_str(), why.as_str().unwrap_or_default())).collect();
        let reasons: Vec<(&str, &str)> =
            tables.iter().flat_map(|t| &t.not_in_sandbox).map(|(f, why)| (f.as_str(), why.as_str())).collect();
        let covered = |field: &str| tables.iter().any(|table| table.out_of_band.contains_key(field));
        let full = |field: &str| format!("{name}.{field}");

        self.fields += mutable.len() + write_only.len();
        for (field, why) in
            reasons.iter().filter(|(field, _)| !covered(field) && mutable.contains(field)).chain(&write_only)
        {
            self.excused.push((name.to_owned(), (*field).to_owned(), (*why).to_owned()));
        }
        let is_explained = |field: &str| covered(field) || reasons.iter().any(|(of, _)| *of == field);
        self.uncovered.extend(mutable.iter().filter(|field| !is_explained(field)).map(|field| full(field)));
        if tables.is_empty() {
            self.uncovered.push(name.to_owned());
        }
        let redundant = reasons.iter().filter(|(field, _)| covered(field) || !mutable.contains(field));
        self.redundant.extend(redundant.map(|(field, _)| full(field)));
    }

    fn add_values(&mut self, name: &str, kind: &Value, fields: &Value, tables: &BTreeMap<String, Vec<KindTable>>) {
        let immutable: Vec<&str> =
            kind["immutable"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (mut values, mut stated) = (BTreeSet::new(), BTreeSet::new());
        for (field, schema) in fields.as_object().into_iter().flatten() {
            let is_skipped = COMMON_KEYS.contains(&field.as_str()) || immutable.contains(&field.as_str());
            if is_skipped {
                continue;
            }
            all_values(schema, field, &mut values);
            let resources = tables.values().flatten().flat_map(|table| &table.resources);
            let specs = resources.filter(|(address, _)| table::kind_of(address) == name).map(|(_, spec)| &spec[field]);
            let edits = tables.get(name).into_iter().flatten().filter_map(|table| table.edits.get(field));
            for value in specs.chain(edits).chain(default(schema)) {
                stated_values(schema, value, field, &mut stated);
            }
        }
        self.values += values.len();
        let unstated: BTreeSet<String> = values.difference(&stated).cloned().collect();
        if !unstated.is_empty() {
            self.unstated.insert(name.to_owned(), unstated);
        }
    }
}

/// Returns the schemas of the values that a field may hold.
fn alternatives(schema: &Value) -> &[Value] {
    schema["anyOf"].as_array().map_or(std::slice::from_ref(schema), Vec::as_slice)
}

/// Returns the fields of a record. References and secrets have several object forms, and count as values.
fn record(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    let mut records = alternatives(schema).iter().filter_map(|one| one["properties"].as_object());
    records.next().filter(|_| records.next().is_none())
}

/// Returns the schema of the elements of a list or map, when the elements are records, lists or maps.
fn elements(schema: &Value) -> Option<&Value> {
    let found = alternatives(schema).iter().find_map(|one| match &one["items"] {
        Value::Null => Some(&one["additionalProperties"]).filter(|of| of.is_object()),
        of => Some(of),
    })?;
    (record(found).is_some() || elements(found).is_some()).then_some(found)
}

/// Returns the default value of a field that Holdfast sends. AWS's own defaults have a comment and do not count. Neither
/// does an empty list or map: it states no elements.
fn default(schema: &Value) -> Option<&Value> {
    if schema["$comment"].is_string() {
        return None;
    }
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value == &serde_json::json!({});
    schema.get("default").filter(|value| !is_empty(value))
}

/// Adds the paths of all fields that hold a value.
fn all_values(schema: &Value, path: &str, out: &mut BTreeSet<String>) {
    match (record(schema), elements(schema)) {
        (Some(fields), _) => fields.iter().for_each(|(name, of)| all_values(of, &format!("{path}.{name}"), out)),
        (None, Some(of)) => all_values(of, path, out),
        (None, None) => drop(out.insert(path.to_owned())),
    }
}

/// Adds the paths of the fields that a value states, and of the defaults of the fields that it omits.
fn stated_values(schema: &Value, value: &Value, path: &str, out: &mut BTreeSet<String>) {
    match (record(schema), elements(schema), value) {
        (_, _, Value::Null) => {}
        (Some(fields), _, Value::Object(stated)) => {
            for (name, of) in fields {
                let path = format!("{path}.{name}");
                match stated.get(name).or_else(|| default(of)) {
                    Some(value) if record(of).is_some() || elements(of).is_some() => {
                        stated_values(of, value, &path, out);
                    }
                    Some(_) => drop(out.insert(path)),
                    None => {}
                }
            }
        }
        (None, Some(of), Value::Array(list)) => list.iter().for_each(|value| stated_values(of, value, path, out)),
        (None, Some(of), Value::Object(map)) => map.values().for_each(|value| stated_values(of, value, path, out)),
        (None, None, _) => drop(out.insert(path.to_owned())),
        _ => {}
    }
}
