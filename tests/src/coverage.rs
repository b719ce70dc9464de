//! What the kinds' wire tests cover: which fields that can change are changed from outside by a table of tests/kinds,
//! which are not and why, and which of the fields below them a table states at all.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::table::{self, Table};

/// Of a hundred fields that can change, fewer than this many may be uncovered.
pub const MOST_UNCOVERED: usize = 5;

/// What may stand in a resource beside its kind's fields.
const WORDS: &[&str] = &["name", "lifecycle", "forEach", "when", "region", "dependsOn", "id", "tags"];

/// What is covered of all kinds.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    /// How many fields can change: the uppermost ones of every kind, with the tags of those that have some.
    pub fields: usize,
    /// Those of them that no table changes from outside: kind, field and reason.
    pub uncovered: Vec<(String, String, String)>,
    /// Those of which no table says anything, and kinds without a table.
    pub untold: Vec<String>,
    /// Reasons that nobody needs: another table covers the field, or there is none of that name.
    pub needless: Vec<String>,
    /// How many of their fields hold a value, in the records below the uppermost ones too: one for a list or a map.
    pub values: usize,
    /// Those of them that no table states, so that they were never sent nor read back: by kind.
    pub unstated: BTreeMap<String, BTreeSet<String>>,
}

impl Coverage {
    /// Of all kinds, as `explain -o json` lists them and `schema` describes their fields.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub fn of(kinds: &Value, schema: &Value) -> anyhow::Result<Coverage> {
        let mut tables: BTreeMap<String, Vec<Table>> = BTreeMap::new();
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

    fn add_fields(&mut self, name: &str, kind: &Value, tables: &[Table]) {
        let mutable = kind["mutable"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mutable: BTreeSet<&str> = mutable.collect();
        let unobserved = kind["unobserved"].as_object().into_iter().flatten();
        let unobserved: Vec<(&str, &str)> =
            unobserved.map(|(field, why)| (field.as_str(), why.as_str().unwrap_or_default())).collect();
        let told: Vec<(&str, &str)> =
            tables.iter().flat_map(|t| &t.not_in_sandbox).map(|(f, why)| (f.as_str(), why.as_str())).collect();
        let covered = |field: &str| tables.iter().any(|table| table.outside.contains_key(field));
        let full = |field: &str| format!("{name}.{field}");

        self.fields += mutable.len() + unobserved.len();
        for (field, why) in
            told.iter().filter(|(field, _)| !covered(field) && mutable.contains(field)).chain(&unobserved)
        {
            self.uncovered.push((name.to_owned(), (*field).to_owned(), (*why).to_owned()));
        }
        let is_told = |field: &str| covered(field) || told.iter().any(|(of, _)| *of == field);
        self.untold.extend(mutable.iter().filter(|field| !is_told(field)).map(|field| full(field)));
        if tables.is_empty() {
            self.untold.push(name.to_owned());
        }
        let needless = told.iter().filter(|(field, _)| covered(field) || !mutable.contains(field));
        self.needless.extend(needless.map(|(field, _)| full(field)));
    }

    fn add_values(&mut self, name: &str, kind: &Value, fields: &Value, tables: &BTreeMap<String, Vec<Table>>) {
        let immutable: Vec<&str> =
            kind["immutable"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (mut values, mut stated) = (BTreeSet::new(), BTreeSet::new());
        for (field, schema) in fields.as_object().into_iter().flatten() {
            let is_word = WORDS.contains(&field.as_str()) || immutable.contains(&field.as_str());
            if is_word {
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

/// What a field may hold.
fn alternatives(schema: &Value) -> &[Value] {
    schema["anyOf"].as_array().map_or(std::slice::from_ref(schema), Vec::as_slice)
}

/// The fields of a record. References and secrets can be written as several objects, and are values.
fn record(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    let mut records = alternatives(schema).iter().filter_map(|one| one["properties"].as_object());
    records.next().filter(|_| records.next().is_none())
}

/// What the elements of a list or a map are, when those are no plain values.
fn elements(schema: &Value) -> Option<&Value> {
    let found = alternatives(schema).iter().find_map(|one| match &one["items"] {
        Value::Null => Some(&one["additionalProperties"]).filter(|of| of.is_object()),
        of => Some(of),
    })?;
    (record(found).is_some() || elements(found).is_some()).then_some(found)
}

/// What a field holds that nobody states. An empty list or map says nothing of what could be in it.
fn default(schema: &Value) -> Option<&Value> {
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty) || value == &serde_json::json!({});
    schema.get("default").filter(|value| !is_empty(value))
}

fn all_values(schema: &Value, path: &str, out: &mut BTreeSet<String>) {
    match (record(schema), elements(schema)) {
        (Some(fields), _) => fields.iter().for_each(|(name, of)| all_values(of, &format!("{path}.{name}"), out)),
        (None, Some(of)) => all_values(of, path, out),
        (None, None) => drop(out.insert(path.to_owned())),
    }
}

/// What a value states, and what goes with it by default.
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
