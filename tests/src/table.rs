//! The tables of tests/kinds: an example of each kind, and the calls that change it out of band.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{OutOfBand, REGION, sandbox};

/// A file of tests/kinds: `<Kind>.yaml`, or `<Kind>.<variant>.yaml` for fields that the main example cannot have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindTable {
    /// The out-of-band calls before the first run, which create prerequisites. Placeholders can use their responses.
    #[serde(default)]
    pub before: Vec<Calls>,
    /// The environment variables of the runs. Secret values come from them.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// The resources of the example. The test changes the one named `example`.
    pub resources: Map<String, Value>,
    /// The calls after the example is created and before the first change, such as the confirmation of a subscription.
    #[serde(default, rename = "afterCreate")]
    pub after_create: Vec<Calls>,
    /// The out-of-band calls that change each mutable field.
    #[serde(default, rename = "outOfBand")]
    pub out_of_band: BTreeMap<String, Vec<Calls>>,
    /// Another value of each mutable field: an edit of the document.
    #[serde(default)]
    pub edits: Map<String, Value>,
    /// The calls that delete the example out of band.
    #[serde(default)]
    pub delete: Vec<Calls>,
    /// The differences of other resources that the out-of-band deletion also causes.
    #[serde(default, rename = "alsoDeleted")]
    pub also_deleted: BTreeSet<String>,
    /// The fields that cannot be changed out of band in the sandbox, each with the reason.
    #[serde(default, rename = "notInSandbox")]
    pub not_in_sandbox: BTreeMap<String, String>,
}

/// A call: `service operation`, or `service@region operation` for another region than the main one, with its
/// parameters. With `as: name`, later calls can use its response as `{name.path.to.a.part}`.
pub type Calls = BTreeMap<String, Value>;

/// Returns the names of all tables: kinds, and kinds with a variant.
///
/// # Errors
/// Returns an error when the folder cannot be read.
pub fn names() -> anyhow::Result<BTreeSet<String>> {
    let files = fs::read_dir(folder()?)?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(files.filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned())).collect())
}

/// Returns the kind of a table, by its name.
pub fn kind(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Returns the kind of an address.
pub fn kind_of(address: &str) -> &str {
    address.split('/').next().unwrap_or(address)
}

/// Returns all tables of a kind, with the main table first.
///
/// # Errors
/// Returns an error when a table cannot be read.
pub fn of(kind: &str) -> anyhow::Result<Vec<KindTable>> {
    names()?.iter().filter(|name| self::kind(name) == kind).map(|name| read(name)).collect()
}

/// Reads a table.
///
/// # Errors
/// Returns an error when the file does not exist or has unknown keys.
pub fn read(name: &str) -> anyhow::Result<KindTable> {
    serde_saphyr::from_str(&text(name)?).with_context(|| format!("tests/kinds/{name}.yaml"))
}

/// Returns the text of a table.
///
/// # Errors
/// Returns an error when the file does not exist.
pub fn text(name: &str) -> anyhow::Result<String> {
    let path = folder()?.join(format!("{name}.yaml"));
    fs::read_to_string(&path)
        .with_context(|| format!("tests/kinds/{name}.yaml, the example of the kind, cannot be read"))
}

fn folder() -> anyhow::Result<PathBuf> {
    Ok(sandbox::root()?.join("tests/kinds"))
}

/// The values of the placeholders of a table.
#[derive(Debug, Default)]
pub struct Placeholders {
    /// The address whose attributes `{id}` and the like mean.
    pub example: String,
    /// The live resources by address, for `{Kind/name.attribute}`.
    pub live: BTreeMap<String, Value>,
    /// The responses of calls, for `{name.path}`.
    pub responses: BTreeMap<String, Value>,
}

impl Placeholders {
    /// Makes the calls in order, and records their responses.
    ///
    /// # Errors
    /// Returns an error when a placeholder has no value or the sandbox rejects a call.
    pub fn call(&mut self, out_of_band: &OutOfBand, calls: &[Calls]) -> anyhow::Result<()> {
        for calls in calls {
            for (call, parameters) in calls.iter().filter(|(call, _)| *call != "as") {
                let (service, operation) = call
                    .split_once(' ')
                    .with_context(|| format!("`{call}` is not a call: write `service operation`"))?;
                let parameters = self.fill(parameters)?;
                let (service, region) = service.split_once('@').unwrap_or((service, REGION));
                let response = out_of_band.call_in(region, service, operation, parameters.clone());
                let response = response.with_context(|| format!("{call} {parameters}"))?;
                if let Some(name) = calls.get("as").and_then(Value::as_str) {
                    self.responses.insert(name.to_owned(), response);
                }
            }
        }
        Ok(())
    }

    /// Returns the value with its placeholders filled. A text that is only a placeholder of a list or an object becomes
    /// that list or object. All other placeholders become text.
    ///
    /// # Errors
    /// Returns an error when a placeholder has no value.
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
            // JSON in a string, expressions, and the `#{host}` of load balancers have braces too.
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
        let found = match (self.responses.get(path.next().unwrap_or_default()), name.split_once('/')) {
            (Some(response), _) => path.try_fold(response, |of, part| match part.parse::<usize>() {
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
            None => bail!("the placeholder {{{name}}} has no value"),
        }
    }

    fn attribute(&self, address: &str, attribute: &str) -> Option<&Value> {
        let observed = self.live.get(address)?;
        let candidates = [&observed[attribute], &observed["status"][attribute], &observed["spec"][attribute]];
        candidates.into_iter().find(|value| !value.is_null())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Placeholders;

    #[test]
    fn placeholders_are_filled_and_other_braces_are_kept() -> anyhow::Result<()> {
        let live = json!({ "id": "t-1", "status": { "arn": "arn:t" } });
        let placeholders = Placeholders {
            example: "Topic/example".into(),
            live: [("Topic/example".to_owned(), live)].into(),
            responses: [("key".to_owned(), json!({ "Keys": [{ "Arn": "arn:k" }] }))].into(),
        };
        let text = r#"{id} {Topic/example.arn} {key.Keys.0.Arn} ${Topic.ops.arn} {"a":{}}"#;
        assert_eq!(placeholders.fill(&json!([text]))?, json!([r#"t-1 arn:t arn:k ${Topic.ops.arn} {"a":{}}"#]));
        assert_eq!(
            placeholders.fill(&json!(["{key.Keys}", "{key.Keys.0.Arn}"]))?,
            json!([[{ "Arn": "arn:k" }], "arn:k"])
        );
        assert!(placeholders.fill(&json!("{name}")).is_err());
        Ok(())
    }
}
