//! Secret values that kinds of other services use.
//!
//! A field that uses a secret value is an `Option<Ref<Secret, CurrentVersion>>`: it holds the version of a secret,
//! never the value. A tag of the resource records the version that the resource was last given ([`consumed`]). A
//! rotated secret therefore changes the field, and Holdfast detects the rotation without reading a value.

use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::plain::Plain;
use holdfast_base::tagging::Tags;
use holdfast_core::types::{IdentityAttribute, Ref};

holdfast_base::client!(secrets: aws_sdk_secretsmanager);

/// The attribute of a Secret that identifies its current version: `<ARN>@<version id>`.
pub(crate) struct CurrentVersion;

impl IdentityAttribute for CurrentVersion {
    const NAME: &'static str = "currentVersion";
}

impl CurrentVersion {
    /// Returns the attribute of a secret with this ARN.
    pub(crate) fn of(arn: &str, version_id: &str) -> String {
        format!("{arn}@{version_id}")
    }
}

/// Reads the value of a version, or one of its JSON fields if `key` names one.
pub(crate) async fn read<K>(aws: &Aws, of: &Ref<K, CurrentVersion>, key: Option<&str>) -> Result<Plain> {
    const OPERATION: &str = "secretsmanager.GetSecretValue";
    let (arn, version) = of.as_str().rsplit_once('@').unwrap_or((of.as_str(), ""));
    let version = (!version.is_empty()).then(|| version.to_owned());
    let response = secrets(aws).get_secret_value().secret_id(arn).set_version_id(version).send().await?;
    let not_text = || Error::terminal(OPERATION, format!("the value of {arn} is not a text"));
    let text = response.secret_string.ok_or_else(not_text)?;
    let Some(key) = key else { return Ok(Plain::new(text)) };
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let field = json.get(key).and_then(serde_json::Value::as_str);
    field.map(Plain::new).ok_or_else(|| {
        Error::terminal(OPERATION, format!("the value of {arn} has no JSON field `{key}` that is a string"))
    })
}

/// Returns the key of the tag that records which version of a secret a field was last given.
fn consumed_key(field: &str) -> String {
    format!("holdfast:secret/{field}")
}

/// Returns the tag, as key and value, that is written together with the value itself.
pub(crate) fn consumed_tag<K>(field: &str, of: &Ref<K, CurrentVersion>) -> (String, String) {
    (consumed_key(field), of.as_str().to_owned())
}

/// Returns the version of a secret that a field was last given, from the resource's tags.
pub(crate) fn consumed<K>(tags: &Tags, field: &str) -> Option<Ref<K, CurrentVersion>> {
    tags.get(&consumed_key(field)).map(|version| Ref::new(version.clone()))
}
