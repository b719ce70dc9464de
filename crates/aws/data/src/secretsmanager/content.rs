//! The value of a secret: how it is made, and how it is known without reading it that it is still ours.
//!
//! A whole text has the version that its source has. Of the fields of a JSON object tags say what each was last given,
//! and which version of the secret that made: they are what is compared.

use std::collections::BTreeMap;

use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Live, Retag};
use holdfast_base::tagging::Tags;
use holdfast_base::vault::Plain;
use holdfast_core::Spec;
use holdfast_core::digest;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::types::{Once, ValueFrom};
use holdfast_core::value::Value;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::generate::{Generate, version_id};
use super::secret::Secret;
use super::secrets;

const OPERATION: &str = "secretsmanager.PutSecretValue";
/// What a field was last given: this, and its name.
const FIELD: &str = "holdfast:field/";
/// The version of the secret that we made last.
const VERSION: &str = "holdfast:version";
const GENERATED: &str = "generated";

/// A field of the JSON object: state one of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Field {
    /// A text that is no secret: a user's name, an address. A tag of the secret has its digest.
    value: Option<Literal>,
    /// Made once, and then left alone.
    generate: Option<Once<Generate>>,
    /// From outside: `{ env: NAME }` or `{ file: PATH }`.
    value_from: Option<ValueFrom>,
}

/// A text of which only the digest can be told when it is live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Literal(String);

impl Typed for Literal {
    const TYPE: Type = Type::Canonical { name: "text", canonical: digested };
}

const DIGEST: &str = "sha256:";

fn digested(value: &Value) -> std::result::Result<Value, String> {
    let text = value.text().ok_or("it is a text; put numbers in quotes")?;
    Ok(if text.starts_with(DIGEST) { value.clone() } else { format!("{DIGEST}{}", digest::text(text)).into() })
}

impl Literal {
    fn digest(&self) -> String {
        format!("{DIGEST}{}", digest::text(&self.0))
    }
}

/// A value to be put, the version that it makes, and the tags that remember it.
pub(super) struct Content {
    pub(super) text: Plain,
    pub(super) version: String,
    pub(super) tags: Tags,
}

/// The first value of a secret; none when the document leaves that to others.
pub(super) fn first(
    aws: &Aws,
    fields: Option<&BTreeMap<String, Field>>,
    generate: Option<&Once<Generate>>,
    from: Option<&ValueFrom>,
) -> Result<Option<Content>> {
    match (fields, generate, from) {
        (None, None, None) => Ok(None),
        (Some(fields), None, None) => {
            let mut json = Map::new();
            let mut tags = Tags::new();
            fill(aws, &mut json, fields, &BTreeMap::new(), "", &mut tags)?;
            let version = version_id(OPERATION)?;
            tags.insert(VERSION.into(), version.clone());
            Ok(Some(Content { text: Plain::new(Json::Object(json).to_string()), version, tags }))
        }
        (None, ..) => whole(aws, generate, from).map(Some),
        _ => Err(several()),
    }
}

fn several() -> Error {
    Error::terminal(OPERATION, "a value comes from one place: state one of `fields`, `generate` and `valueFrom`")
}

fn whole(aws: &Aws, generate: Option<&Once<Generate>>, from: Option<&ValueFrom>) -> Result<Content> {
    match (generate, from) {
        (Some(generate), None) => {
            Ok(Content { text: generate.0.make(OPERATION)?, version: version_id(OPERATION)?, tags: Tags::new() })
        }
        (None, Some(from)) => {
            let text = aws.vault.value(OPERATION, from)?;
            Ok(Content { text, version: from.version.clone().unwrap_or_default(), tags: Tags::new() })
        }
        _ => Err(several()),
    }
}

/// Puts a value that is a whole text.
pub(super) async fn put_whole(
    aws: &Aws,
    live: &Live<Secret>,
    generate: Option<&Once<Generate>>,
    from: Option<&ValueFrom>,
) -> Result<()> {
    // What is live stands in both of them where the document states only one.
    let generate = generate.filter(|_| from.is_none_or(|from| from.env.is_none() && from.file.is_none()));
    let from = from.filter(|_| generate.is_none());
    let Content { text, version, tags: _ } = whole(aws, generate, from)?;
    put(aws, live, &text, &version).await
}

/// Puts a value as that version, and makes it the current one: a version that was there before is not current by being
/// put again (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html>).
async fn put(aws: &Aws, live: &Live<Secret>, text: &Plain, version: &str) -> Result<()> {
    const CURRENT: &str = "AWSCURRENT";
    let put = secrets(aws).put_secret_value().secret_id(&live.id).client_request_token(version);
    let made = put.secret_string(text.expose()).send().await?;
    if made.version_stages().iter().any(|stage| stage == CURRENT) {
        return Ok(());
    }
    let stage = secrets(aws).update_secret_version_stage().secret_id(&live.id).version_stage(CURRENT);
    stage.move_to_version_id(version).set_remove_from_version_id(live.status.version_id.clone()).send().await?;
    Ok(())
}

/// Puts the fields that differ into the JSON object, and leaves the others as they are.
pub(super) async fn put_fields(
    aws: &Aws,
    live: &Live<Secret>,
    wanted: Option<&BTreeMap<String, Field>>,
    tags: &mut Retag,
) -> Result<()> {
    let none = BTreeMap::new();
    let (wanted, there) = (wanted.unwrap_or(&none), remembered(&live.tags));
    let current = live.status.version_id.clone().unwrap_or_default();
    let before = object(aws, &live.id).await?;
    let mut json = before.clone();
    for name in there.keys().filter(|name| !wanted.contains_key(**name)) {
        json.remove(*name);
        tags.remove.insert(format!("{FIELD}{name}"));
    }
    fill(aws, &mut json, wanted, &there, &current, &mut tags.set)?;
    let mut version = current;
    if json != before {
        version = version_id(OPERATION)?;
        put(aws, live, &Plain::new(Json::Object(json).to_string()), &version).await?;
    }
    tags.set.insert(VERSION.into(), version);
    Ok(())
}

/// The JSON object that a secret has now; an empty one when it has no value yet.
async fn object(aws: &Aws, id: &str) -> Result<Map<String, Json>> {
    let Some(answer) = secrets(aws).get_secret_value().secret_id(id).send().await.or_absent()? else {
        return Ok(Map::new());
    };
    match answer.secret_string().map(serde_json::from_str) {
        Some(Ok(Json::Object(json))) => Ok(json),
        _ => {
            Err(Error::terminal("secretsmanager.GetSecretValue", "its value is not a JSON object, so it has no fields"))
        }
    }
}

/// Fills fields in, and says in tags what each was given.
fn fill(
    aws: &Aws,
    json: &mut Map<String, Json>,
    wanted: &BTreeMap<String, Field>,
    there: &BTreeMap<&str, &str>,
    current: &str,
    tags: &mut Tags,
) -> Result<()> {
    for (name, field) in wanted {
        let remembered = match (&field.value, &field.generate, &field.value_from) {
            (Some(text), None, None) if !text.0.starts_with(DIGEST) => {
                json.insert(name.clone(), text.0.clone().into());
                text.digest()
            }
            // The live view of a field that the document leaves alone.
            (Some(text), None, None) => text.0.clone(),
            (None, Some(_), None) if json.contains_key(name) => GENERATED.to_owned(),
            (None, Some(generate), None) => {
                json.insert(name.clone(), generate.0.make(OPERATION)?.expose().into());
                GENERATED.to_owned()
            }
            // Without a source here, what is there stays.
            (None, None, Some(from)) if from.version.is_none() && json.contains_key(name) => {
                there.get(name.as_str()).map_or_else(|| current.to_owned(), |known| (*known).to_owned())
            }
            (None, None, Some(from)) => {
                json.insert(name.clone(), aws.vault.value(OPERATION, from)?.expose().into());
                from.version.clone().unwrap_or_default()
            }
            _ => {
                let message = format!("field `{name}`: state one of `value`, `generate` and `valueFrom`");
                return Err(Error::terminal(OPERATION, message));
            }
        };
        tags.insert(format!("{FIELD}{name}"), remembered);
    }
    Ok(())
}

fn remembered(tags: &Tags) -> BTreeMap<&str, &str> {
    tags.iter().filter_map(|(key, value)| Some((key.strip_prefix(FIELD)?, value.as_str()))).collect()
}

/// The fields as the tags remember them. When somebody else made the current version, all but generated ones may differ;
/// a rotation does so by right.
pub(super) fn live(tags: &Tags, current: Option<&str>, rotates: bool) -> Option<BTreeMap<String, Field>> {
    let ours = rotates || tags.get(VERSION).map(String::as_str) == current;
    let field = |remembered: &str| {
        let mut field = Field { value: None, generate: None, value_from: None };
        match remembered {
            GENERATED => field.generate = Some(Once(Generate::default())),
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
    let fields: BTreeMap<String, Field> = remembered(tags).iter().map(|(k, v)| ((*k).to_owned(), field(v))).collect();
    (!fields.is_empty()).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_put_there_differs_from_all_but_what_is_generated() {
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
        let others = live(&tags, Some("2"), false).unwrap_or_default();
        assert!(others["user"] != ours["user"] && others["token"] != ours["token"]);
        assert_eq!(others["password"], ours["password"]);
        assert_eq!(live(&tags, Some("2"), true), Some(ours));
        assert_eq!(live(&Tags::new(), Some("1"), false), None);
    }
}
