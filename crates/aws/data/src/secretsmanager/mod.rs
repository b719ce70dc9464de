//! Secrets Manager, and how kinds of other services take a secret's value.
//!
//! A field that takes one is an `Option<Ref<Secret, CurrentVersion>>`: it holds which version of which secret, never
//! the value. The version that was last given to a resource is remembered in a tag of it ([`consumed`]), so that a
//! rotated secret is a change of the field and nobody has to read a value to see that.

mod content;
pub(crate) mod generate;
mod listed;
mod rotation;
pub(crate) mod secret;

use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::tagging::Tags;
use holdfast_core::types::{Attribute, Ref};

pub(crate) use holdfast_base::vault::Plain;
use secret::Secret;

holdfast_base::client!(secrets: aws_sdk_secretsmanager);

/// The attribute of a Secret that names its version of today: `<ARN>@<version id>`.
pub(crate) struct CurrentVersion;

impl Attribute for CurrentVersion {
    const NAME: &'static str = "currentVersion";
}

/// What [`CurrentVersion`] of a secret is.
pub(crate) fn version(arn: &str, version_id: &str) -> String {
    format!("{arn}@{version_id}")
}

/// The value of that version; of one of its JSON fields where `key` names one.
pub(crate) async fn read(aws: &Aws, of: &Ref<Secret, CurrentVersion>, key: Option<&str>) -> Result<Plain> {
    const OPERATION: &str = "secretsmanager.GetSecretValue";
    let (arn, version) = of.as_str().rsplit_once('@').unwrap_or((of.as_str(), ""));
    let version = (!version.is_empty()).then(|| version.to_owned());
    let answer = secrets(aws).get_secret_value().secret_id(arn).set_version_id(version).send().await?;
    let text = answer.secret_string.ok_or_else(|| Error::terminal(OPERATION, format!("{arn} is not a text")))?;
    let Some(key) = key else { return Ok(Plain::new(text)) };
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let field = json.get(key).and_then(serde_json::Value::as_str);
    field.map(Plain::new).ok_or_else(|| {
        Error::terminal(OPERATION, format!("the value of {arn} has no JSON field `{key}` that is a string"))
    })
}

/// The key of the tag by which a resource remembers which version a field of it was given.
fn consumed_key(field: &str) -> String {
    format!("holdfast:secret/{field}")
}

/// The tag, as key and value, to put on a resource together with the value itself.
pub(crate) fn consumed_tag(field: &str, of: &Ref<Secret, CurrentVersion>) -> (String, String) {
    (consumed_key(field), of.as_str().to_owned())
}

/// Which version a field was last given, from the resource's tags.
pub(crate) fn consumed(tags: &Tags, field: &str) -> Option<Ref<Secret, CurrentVersion>> {
    tags.get(&consumed_key(field)).map(|version| Ref::new(version.clone()))
}
