//! The spec and the status of a Secret.

use std::collections::BTreeMap;

use holdfast_core::Spec;
use holdfast_core::digest;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::types::{AfterCreate, Arn, OnlyAtCreate, PolicyDocument, Ref, ValueFrom};
use holdfast_core::value::Value;
use serde::{Deserialize, Serialize};

use crate::kms::key::Key;
use crate::secretsmanager::generate::GenerateSecretString;

/// The AWS managed key, which AWS uses for a secret that names no key.
pub(super) const OWN_KEY: &str = "alias/aws/secretsmanager";

/// A secret of AWS Secrets Manager.
///
/// The secret value is in no document, plan, log or tag: Holdfast generates it, or reads it from an environment
/// variable or a file of the process that runs Holdfast. State one of `fields`, `generate` and `valueFrom`. Without any
/// of them, Holdfast does not manage the value. A secret that leaves the document is retained unless `onDelete: delete`
/// is set. A secret that is scheduled for deletion is restored if the document contains it again.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(alternatives = ["fields", "generate", "valueFrom"])]
pub(crate) struct Secret {
    /// The description.
    #[spec(length = ..=2048)]
    pub(super) description: Option<String>,
    /// The KMS key that encrypts the secret; `null` for the AWS managed key, `alias/aws/secretsmanager`. Other accounts
    /// can read the secret only under a customer managed key.
    pub(super) kms_key: Option<Ref<Key, Arn>>,
    /// The secret value as a JSON object: its fields, by name. Fields of the object that Holdfast never wrote are kept.
    /// A field that is added later changes no other field.
    pub(super) fields: Option<BTreeMap<String, SecretField>>,
    /// The secret value as one text, which Holdfast generates once and never changes afterwards.
    pub(super) generate: Option<OnlyAtCreate<GenerateSecretString>>,
    /// The secret value as one text, from outside: `{ env: NAME }` or `{ file: PATH }`. Holdfast puts a value that
    /// differs from the live value. If the variable or the file does not exist, a live secret is left unchanged, and a
    /// missing secret is not created.
    pub(super) value_from: Option<ValueFrom>,
    /// The rotation of the secret value; `null` for none. With rotation, a changed value is not drift.
    pub(super) rotation: Option<Rotation>,
    /// The replica secrets: further regions, each with the KMS key that encrypts the replica there:
    /// `alias/aws/secretsmanager`, or the ARN of a key
    /// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html>).
    pub(super) replica_regions: Option<BTreeMap<String, String>>,
    /// Whether a replica overwrites a secret of the same name that exists in its region. Otherwise AWS refuses the
    /// replica.
    pub(super) force_overwrite_replica_secret: Option<bool>,
    /// The resource policy: which other principals may use the secret. It may name roles whose own policies name the
    /// secret.
    pub(super) policy: Option<AfterCreate<PolicyDocument>>,
    /// The recovery window of a deletion in days, 7 to 30: how long a deleted secret can be restored, and its name
    /// remains in use. `0` for no recovery window, `null` for AWS's default. Recorded in the tag
    /// `holdfast:recovery-window`
    /// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html>).
    #[spec(range = 0..=30, default = 30)]
    pub(super) recovery_window_in_days: Option<i64>,
}

/// The read-only attributes of a Secret.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretStatus {
    /// The ARN of the secret, with the six characters that AWS adds to its name. It is also the resource's `id`.
    pub(super) arn: String,
    /// The id of the current version.
    pub(super) version_id: Option<String>,
    /// The current version as `<ARN>@<version id>`, by which other resources refer to the value.
    pub(super) current_version: Option<String>,
}

/// A field of the secret's JSON object: state one of `value`, `generate` and `valueFrom`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(alternatives = ["value", "generate", "valueFrom"])]
pub(crate) struct SecretField {
    /// A text that is not confidential: a user name, an address. A tag of the secret records its digest.
    pub(super) value: Option<Literal>,
    /// A value that Holdfast generates once and never changes afterwards.
    pub(super) generate: Option<OnlyAtCreate<GenerateSecretString>>,
    /// A value from outside: `{ env: NAME }` or `{ file: PATH }`.
    pub(super) value_from: Option<ValueFrom>,
}

/// A text whose live side is known only by its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Literal(pub(super) String);

impl Typed for Literal {
    const TYPE: Type = Type::Canonical { name: "text", canonical: digested };
}

/// The prefix of the digest of a literal text.
pub(super) const DIGEST: &str = "sha256:";

pub(super) fn digested(value: &Value) -> std::result::Result<Value, String> {
    let text = value.text().ok_or("it must be a text; put numbers in quotes")?;
    Ok(if text.starts_with(DIGEST) { value.clone() } else { format!("{DIGEST}{}", digest::text(text)).into() })
}

impl Literal {
    /// Returns the digest that a tag of the secret records.
    pub(super) fn digest(&self) -> String {
        format!("{DIGEST}{}", digest::text(&self.0))
    }
}

/// The rotation of a secret value. The first rotation is at the next time of the schedule, not immediately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rotation {
    /// The ARN of the Lambda function that rotates the value. Leave it out for a secret that another service manages.
    pub(super) rotation_lambda: Option<Arn>,
    /// The rotation rules: `automaticallyAfterDays`, or `scheduleExpression`.
    pub(super) rotation_rules: Option<RotationRules>,
}

/// The schedule of a rotation
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RotationRules {
    /// The days between two rotations.
    #[spec(range = 1..=1000)]
    pub(super) automatically_after_days: Option<i64>,
    /// The schedule: `rate(10 days)` or `cron(0 16 1,15 * ? *)`, in UTC.
    #[spec(length = 1..=256, pattern = "(rate|cron)[(].+[)]")]
    pub(super) schedule_expression: Option<String>,
    /// The length of the rotation window in hours, as in `3h`.
    #[spec(length = 2..=3, pattern = "[0-9h]+")]
    pub(super) duration: Option<String>,
}
