//! The value of a secret: how Holdfast creates it, and how Holdfast detects drift without reading it.
//!
//! The version id of a whole text is the version of its source. For the fields of a JSON object, tags record what each
//! field was last given and which version of the secret holds it. Holdfast compares these tags with the document. The
//! names of these fields are in the document, so they are no field tags of the kind
//! ([`Kind::FIELD_TAGS`](holdfast_base::kind::Kind::FIELD_TAGS)).

use std::collections::BTreeMap;

use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Live, TagChanges};
use holdfast_base::plain::Plain;
use holdfast_base::tagging::Tags;
use holdfast_core::types::{OnlyAtCreate, ValueFrom};
use serde_json::{Map, Value as Json};

use super::spec::{DIGEST, Literal, Secret, SecretField};
use crate::secretsmanager::generate::{GenerateSecretString, version_id};
use crate::secretsmanager::secrets;

const OPERATION: &str = "secretsmanager.PutSecretValue";
/// The key prefix of the tags that record what a field was last given; the name of the field follows.
const FIELD: &str = "holdfast:field/";
/// The tag that records the version of the secret that Holdfast put last.
const VERSION: &str = "holdfast:version";
const GENERATED: &str = "generated";

/// A value to put into a secret, the id of its version, and the tags that record it.
pub(super) struct SecretContent {
    pub(super) text: Plain,
    pub(super) version: String,
    pub(super) tags: Tags,
}

/// Returns the initial value of a secret; `None` if the document does not manage the value.
pub(super) fn initial(
    aws: &Aws,
    fields: Option<&BTreeMap<String, SecretField>>,
    generate: Option<&OnlyAtCreate<GenerateSecretString>>,
    from: Option<&ValueFrom>,
) -> Result<Option<SecretContent>> {
    match (fields, generate, from) {
        (None, None, None) => Ok(None),
        (Some(fields), None, None) => {
            let mut json = Map::new();
            let mut tags = Tags::new();
            fill(aws, &mut json, fields, &BTreeMap::new(), "", &mut tags)?;
            let version = version_id(OPERATION)?;
            tags.insert(VERSION.into(), version.clone());
            Ok(Some(SecretContent { text: Plain::new(Json::Object(json).to_string()), version, tags }))
        }
        (None, ..) => whole(aws, generate, from).map(Some),
        _ => Err(conflicting_sources()),
    }
}

fn conflicting_sources() -> Error {
    Error::terminal(OPERATION, "a secret value has one source: state one of `fields`, `generate` and `valueFrom`")
}

fn whole(
    aws: &Aws,
    generate: Option<&OnlyAtCreate<GenerateSecretString>>,
    from: Option<&ValueFrom>,
) -> Result<SecretContent> {
    match (generate, from) {
        (Some(generate), None) => Ok(SecretContent {
            text: generate.0.new_value(OPERATION)?,
            version: version_id(OPERATION)?,
            tags: Tags::new(),
        }),
        (None, Some(from)) => {
            let text = aws.secret_store.value(OPERATION, from)?;
            Ok(SecretContent { text, version: from.version.clone().unwrap_or_default(), tags: Tags::new() })
        }
        _ => Err(conflicting_sources()),
    }
}

/// Puts a value that is one text.
pub(super) async fn put_whole(
    aws: &Aws,
    live: &Live<Secret>,
    generate: Option<&OnlyAtCreate<GenerateSecretString>>,
    from: Option<&ValueFrom>,
) -> Result<()> {
    // If the document states only one of the two, the other one holds the live value.
    let generate = generate.filter(|_| from.is_none_or(|from| from.env.is_none() && from.file.is_none()));
    let from = from.filter(|_| generate.is_none());
    let SecretContent { text, version, tags: _ } = whole(aws, generate, from)?;
    put(aws, live, &text, &version).await
}

/// Puts a value as this version and makes the version current. Putting an existing version again does not make it
/// current (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html>).
async fn put(aws: &Aws, live: &Live<Secret>, text: &Plain, version: &str) -> Result<()> {
    const CURRENT: &str = "AWSCURRENT";
    let put = secrets(aws).put_secret_value().secret_id(&live.id).client_request_token(version);
    let response = put.secret_string(text.expose()).send().await?;
    if response.version_stages().iter().any(|stage| stage == CURRENT) {
        return Ok(());
    }
    let stage = secrets(aws).update_secret_version_stage().secret_id(&live.id).version_stage(CURRENT);
    stage.move_to_version_id(version).set_remove_from_version_id(live.status.version_id.clone()).send().await?;
    Ok(())
}

/// Writes the desired fields into the JSON object of a secret.
///
/// # Expected flow
/// 1. Read the current JSON object.
/// 2. Remove the fields that a tag records and that the document no longer states, and remove their tags.
/// 3. Fill in the desired fields, and record in tags what each field was given.
/// 4. If the object has changed, put it as a new version and make that version current.
/// 5. The caller writes the tags, with the version id in `holdfast:version`.
///
/// # Guarantees
/// Fields that Holdfast never wrote are kept. A generated field that exists is not changed.
///
/// # Caveats
/// If the tags are not written after step 4, the current version counts as put out of band: the next observation
/// reports the fields as different, and the next update writes the tags.
///
/// # Errors
/// Returns a `Terminal` failure if the current value is not a JSON object, or if a source cannot be read.
pub(super) async fn put_fields(
    aws: &Aws,
    live: &Live<Secret>,
    desired: Option<&BTreeMap<String, SecretField>>,
    tags: &mut TagChanges,
) -> Result<()> {
    let none = BTreeMap::new();
    let (desired, recorded) = (desired.unwrap_or(&none), recorded_fields(&live.tags));
    let current = live.status.version_id.clone().unwrap_or_default();
    let before = object(aws, &live.id).await?;
    let mut json = before.clone();
    for name in recorded.keys().filter(|name| !desired.contains_key(**name)) {
        json.remove(*name);
        tags.remove.insert(format!("{FIELD}{name}"));
    }
    fill(aws, &mut json, desired, &recorded, &current, &mut tags.set)?;
    let mut version = current;
    if json != before {
        version = version_id(OPERATION)?;
        put(aws, live, &Plain::new(Json::Object(json).to_string()), &version).await?;
    }
    tags.set.insert(VERSION.into(), version);
    Ok(())
}

/// Returns the current JSON object of a secret; an empty object if the secret has no value yet.
async fn object(aws: &Aws, id: &str) -> Result<Map<String, Json>> {
    let Some(response) = secrets(aws).get_secret_value().secret_id(id).send().await.or_absent()? else {
        return Ok(Map::new());
    };
    match response.secret_string().map(serde_json::from_str) {
        Some(Ok(Json::Object(json))) => Ok(json),
        _ => {
            let message =
                "the secret value is not a JSON object: remove `fields`, or put a JSON object into the secret";
            Err(Error::terminal("secretsmanager.GetSecretValue", message))
        }
    }
}

/// Fills the desired fields into the JSON object, and records in tags what each field was given.
fn fill(
    aws: &Aws,
    json: &mut Map<String, Json>,
    desired: &BTreeMap<String, SecretField>,
    recorded: &BTreeMap<&str, &str>,
    current: &str,
    tags: &mut Tags,
) -> Result<()> {
    for (name, field) in desired {
        let given = match (&field.value, &field.generate, &field.value_from) {
            (Some(text), None, None) if !text.0.starts_with(DIGEST) => {
                json.insert(name.clone(), text.0.clone().into());
                text.digest()
            }
            // The live digest of a field that the document does not change.
            (Some(text), None, None) => text.0.clone(),
            (None, Some(_), None) if json.contains_key(name) => GENERATED.to_owned(),
            (None, Some(generate), None) => {
                json.insert(name.clone(), generate.0.new_value(OPERATION)?.expose().into());
                GENERATED.to_owned()
            }
            // The source does not exist on this machine: keep the live value.
            (None, None, Some(from)) if from.version.is_none() && json.contains_key(name) => {
                recorded.get(name.as_str()).map_or_else(|| current.to_owned(), |given| (*given).to_owned())
            }
            (None, None, Some(from)) => {
                json.insert(name.clone(), aws.secret_store.value(OPERATION, from)?.expose().into());
                from.version.clone().unwrap_or_default()
            }
            _ => {
                let message = format!("field `{name}`: state one of `value`, `generate` and `valueFrom`");
                return Err(Error::terminal(OPERATION, message));
            }
        };
        tags.insert(format!("{FIELD}{name}"), given);
    }
    Ok(())
}

/// Returns what each field was last given, by the name of the field, from the tags of the secret.
fn recorded_fields(tags: &Tags) -> BTreeMap<&str, &str> {
    tags.iter().filter_map(|(key, value)| Some((key.strip_prefix(FIELD)?, value.as_str()))).collect()
}

/// Returns the live fields, from the tags of the secret.
///
/// If the current version was put out of band, every field except a generated one may differ and is reported as
/// different. With rotation enabled, a new version is expected and does not count as out of band.
pub(super) fn live(tags: &Tags, current: Option<&str>, rotates: bool) -> Option<BTreeMap<String, SecretField>> {
    let ours = rotates || tags.get(VERSION).map(String::as_str) == current;
    let field = |given: &str| {
        let mut field = SecretField { value: None, generate: None, value_from: None };
        match given {
            GENERATED => field.generate = Some(OnlyAtCreate(GenerateSecretString::default())),
            text if text.starts_with(DIGEST) => {
                field.value = Some(Literal(if ours { text.into() } else { format!("{DIGEST}changed") }));
            }
            version => {
                let version = if ours { version } else { current.unwrap_or_default() };
                field.value_from = Some(ValueFrom { version: Some(version.to_owned()), ..ValueFrom::default() });
            }
        }
        field
    };
    let fields: BTreeMap<String, SecretField> =
        recorded_fields(tags).iter().map(|(k, v)| ((*k).to_owned(), field(v))).collect();
    (!fields.is_empty()).then_some(fields)
}

#[cfg(test)]
mod tests {
    use holdfast_core::value::Value;

    use super::super::spec::digested;
    use super::*;

    #[test]
    fn after_an_out_of_band_version_all_fields_except_generated_ones_differ() {
        let literal = Literal("app".into());
        let tags: Tags = [("user", literal.digest()), ("password", GENERATED.into()), ("token", "v7".into())]
            .map(|(name, value)| (format!("{FIELD}{name}"), value))
            .into_iter()
            .chain([(VERSION.to_owned(), "1".to_owned())])
            .collect();
        let ours = live(&tags, Some("1"), false).unwrap_or_default();
        assert_eq!(
            digested(&"app".into()),
            Ok(Value::Text(ours["user"].value.clone().map(|l| l.0).unwrap_or_default()))
        );
        assert_eq!(ours["token"].value_from.clone().and_then(|from| from.version).as_deref(), Some("v7"));
        let out_of_band = live(&tags, Some("2"), false).unwrap_or_default();
        assert!(out_of_band["user"] != ours["user"] && out_of_band["token"] != ours["token"]);
        assert_eq!(out_of_band["password"], ours["password"]);
        assert_eq!(live(&tags, Some("2"), true), Some(ours));
        assert_eq!(live(&Tags::new(), Some("1"), false), None);
    }
}
