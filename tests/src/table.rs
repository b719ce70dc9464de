//! The tables of tests/kinds: an example of each kind, and what somebody does to it behind Holdfast's back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{Outside, REGION, sandbox};

/// A file of tests/kinds: `<Kind>.yaml`, or `<Kind>.<variant>.yaml` for what the main example cannot have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// What is there before: calls from outside. Their answers can be named.
    #[serde(default)]
    pub before: Vec<Calls>,
    /// Environment variables of the runs: secret values come from there.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The resources of the example; the one named `example` is broken.
    pub resources: Map<String, Value>,
    /// What happens once it is made, and before anything is changed: an endpoint confirms.
    #[serde(default)]
    pub made: Vec<Calls>,
    /// For each mutable field, the calls that somebody makes.
    #[serde(default)]
    pub outside: BTreeMap<String, Vec<Calls>>,
    /// For each mutable field, another value.
    #[serde(default)]
    pub edits: Map<String, Value>,
    /// The calls that delete it from outside.
    #[serde(default)]
    pub delete: Vec<Calls>,
    /// What else goes when it is deleted from outside.
    #[serde(default, rename = "alsoDeleted")]
    pub also_deleted: BTreeSet<String>,
    /// Fields that the sandbox cannot show, and why.
    #[serde(default, rename = "notInSandbox")]
    pub not_in_sandbox: BTreeMap<String, String>,
}

/// `service operation` (elsewhere than in the main region: `service@region operation`) with its parameters; with
/// `as: name`, its answer can be used as `{name.path.to.a.part}`.
pub type Calls = BTreeMap<String, Value>;

/// The names of all tables: kinds, and kinds with their variants.
///
/// # Errors
/// When there is no checkout.
pub fn names() -> anyhow::Result<BTreeSet<String>> {
    let files = fs::read_dir(folder()?)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(files.filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned())).collect())
}

/// The kind of a table.
pub fn kind(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// The kind of an address.
pub fn kind_of(address: &str) -> &str {
    address.split('/').next().unwrap_or(address)
}

/// All tables of a kind, the main one first.
///
/// # Errors
/// When one cannot be read.
pub fn of(kind: &str) -> anyhow::Result<Vec<Table>> {
    names()?.iter().filter(|name| self::kind(name) == kind).map(|name| read(name)).collect()
}

/// Reads a table.
///
/// # Errors
/// When there is none, or it says what no table can.
pub fn read(name: &str) -> anyhow::Result<Table> {
    serde_saphyr::from_str(&text(name)?).with_context(|| format!("tests/kinds/{name}.yaml"))
}

/// The text of a table.
///
/// # Errors
/// When there is none.
pub fn text(name: &str) -> anyhow::Result<String> {
    let path = folder()?.join(format!("{name}.yaml"));
    fs::read_to_string(&path).with_context(|| format!("there is no example at tests/kinds/{name}.yaml"))
}

fn folder() -> anyhow::Result<PathBuf> {
    Ok(sandbox::root()?.join("tests/kinds"))
}

/// What the placeholders of a table stand for.
#[derive(Debug, Default)]
pub struct Known {
    /// The address that `{id}` and the like are read of.
    pub example: String,
    /// The live resources by address, for `{Kind/name.attribute}`.
    pub live: BTreeMap<String, Value>,
    /// The answers that calls gave, for `{name.path}`.
    pub answers: BTreeMap<String, Value>,
}

impl Known {
    /// Makes the calls, one after the other.
    ///
    /// # Errors
    /// When a placeholder stands for nothing, or the sandbox refuses.
    pub fn call(&mut self, outside: &Outside, calls: &[Calls]) -> anyhow::Result<()> {
        for calls in calls {
            for (call, parameters) in calls.iter().filter(|(call, _)| *call != "as") {
                let (service, operation) = call.split_once(' ').with_context(|| format!("`{call}` is no call"))?;
                let parameters = self.fill(parameters)?;
                let (service, region) = service.split_once('@').unwrap_or((service, REGION));
                let answer = outside.call_in(region, service, operation, parameters.clone());
                let answer = answer.with_context(|| format!("{call} {parameters}"))?;
                if let Some(name) = calls.get("as").and_then(Value::as_str) {
                    self.answers.insert(name.to_owned(), answer);
                }
            }
        }
        Ok(())
    }

    /// Fills the placeholders in. A list or an object that stands alone stays one, and all else becomes text.
    ///
    /// # Errors
    /// When one stands for nothing.
    pub fn fill(&self, value: &Value) -> anyhow::Result<Value> {
        Ok(match value {
            Value::String(text) => match self.whole(text)? {
                Some(whole) => whole.clone(),
                None => Value::String(self.fill_text(text)?),
            },
            Value::Array(list) => list.iter().map(|v| self.fill(v)).collect::<anyhow::Result<_>>()?,
            Value::Object(map) => {
                let filled = map.iter().map(|(k, v)| Ok((k.clone(), self.fill(v)?)));
                Value::Object(filled.collect::<anyhow::Result<_>>()?)
            }
            other => other.clone(),
        })
    }

    fn whole(&self, text: &str) -> anyhow::Result<Option<&Value>> {
        let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        let found = inside.map(|inside| self.value(inside)).transpose()?.flatten();
        Ok(found.filter(|found| found.is_array() || found.is_object()))
    }

    fn fill_text(&self, text: &str) -> anyhow::Result<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            out.push_str(&rest[..open]);
            rest = &rest[open..];
            let inside = rest[1..].split('}').next().unwrap_or_default();
            // JSON in a string has braces of its own, and so have expressions, and the `#{host}` of load balancers.
            let found = if out.ends_with(['$', '#']) { None } else { self.value(inside)? };
            let found = found.map(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned));
            out.push_str(found.as_deref().unwrap_or("{"));
            rest = &rest[found.map_or(1, |_| inside.len() + 2)..];
        }
        Ok(out + rest)
    }

    fn value(&self, name: &str) -> anyhow::Result<Option<&Value>> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        if name.is_empty() || !name.chars().all(is_word) {
            return Ok(None);
        }
        let mut path = name.split('.');
        let found = match (self.answers.get(path.next().unwrap_or_default()), name.split_once('/')) {
            (Some(answer), _) => path.try_fold(answer, |of, part| match part.parse::<usize>() {
                Ok(index) => of.get(index),
                Err(_) => of.get(part),
            }),
            (None, Some(_)) => {
                name.rsplit_once('.').and_then(|(address, attribute)| self.attribute(address, attribute))
            }
            (None, None) => self.attribute(&self.example, name),
        };
        match found {
            Some(found) => Ok(Some(found)),
            None => bail!("nothing is known of {{{name}}}"),
        }
    }

    fn attribute(&self, address: &str, attribute: &str) -> Option<&Value> {
        let observed = self.live.get(address)?;
        let places = [&observed[attribute], &observed["status"][attribute], &observed["spec"][attribute]];
        places.into_iter().find(|value| !value.is_null())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Known;

    #[test]
    fn placeholders_are_filled_and_other_braces_are_not() -> anyhow::Result<()> {
        let live = json!({ "id": "t-1", "status": { "arn": "arn:t" } });
        let known = Known {
            example: "Topic/example".into(),
            live: [("Topic/example".to_owned(), live)].into(),
            answers: [("key".to_owned(), json!({ "Keys": [{ "Arn": "arn:k" }] }))].into(),
        };
        let text = r#"{id} {Topic/example.arn} {key.Keys.0.Arn} ${Topic.ops.arn} {"a":{}}"#;
        assert_eq!(known.fill(&json!([text]))?, json!([r#"t-1 arn:t arn:k ${Topic.ops.arn} {"a":{}}"#]));
        assert_eq!(known.fill(&json!(["{key.Keys}", "{key.Keys.0.Arn}"]))?, json!([[{ "Arn": "arn:k" }], "arn:k"]));
        assert!(known.fill(&json!("{name}")).is_err());
        Ok(())
    }
}
