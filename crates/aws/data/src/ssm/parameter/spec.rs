//! The spec and the status of a Parameter.

use aws_sdk_ssm::types as sdk;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, OnlyAtCreate, Ref, ServerDefault, ValueFrom};
use serde::{Deserialize, Serialize};

use crate::consumed_secret::CurrentVersion;
use crate::kms::key::Key;
use crate::secretsmanager::generate::GenerateSecretString;
use crate::secretsmanager::secret::Secret;

/// The type of an encrypted parameter.
pub(super) const SECURE: &str = "SecureString";

/// A parameter of the Systems Manager Parameter Store.
///
/// The default name is `/<stack>-<env>-<name>`; a name does not begin with `aws` or `ssm`. State one of `value`,
/// `generate`, `valueFrom` and `secret`. An encrypted value is in no document, plan, log or tag.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(alternatives = ["value", "generate", "valueFrom", "secret"])]
pub(crate) struct Parameter {
    /// The type. `SecureString` is for an encrypted value.
    #[spec(one_of = sdk::ParameterType)]
    pub(super) r#type: String,
    /// The value of a `String`, or the comma-separated values of a `StringList`: at most 4 KB; 8 KB with the tier
    /// `Advanced`.
    #[spec(length = 1..=8192)]
    pub(super) value: Option<String>,
    /// With `SecureString`: a value that Holdfast generates once and never changes afterwards.
    pub(super) generate: Option<OnlyAtCreate<GenerateSecretString>>,
    /// With `SecureString`: a value from outside, `{ env: NAME }` or `{ file: PATH }`. If the variable or the file does
    /// not exist, a live parameter is left unchanged, and a missing parameter is not created.
    pub(super) value_from: Option<ValueFrom>,
    /// With `SecureString`: the secret whose value the parameter holds. When the secret is rotated, the parameter
    /// follows.
    pub(super) secret: Option<Ref<Secret, CurrentVersion>>,
    /// The JSON field of the secret value; without it, the whole secret value.
    pub(super) secret_field: Option<String>,
    /// The description.
    #[spec(length = ..=1024)]
    pub(super) description: Option<String>,
    /// With `SecureString`: the KMS key that encrypts the value; `null` for the AWS managed key, `alias/aws/ssm`.
    pub(super) kms_key: Option<Ref<Key, Arn>>,
    /// The parameter tier. `Advanced` costs money. `Intelligent-Tiering` is not supported, because AWS returns the tier
    /// that it chose instead. AWS cannot change an advanced parameter into a
    /// standard one
    /// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html>).
    #[spec(one_of = ["Standard", "Advanced"])]
    pub(super) tier: Option<ServerDefault<String>>,
    /// A regular expression that the value must match.
    #[spec(length = ..=1024)]
    pub(super) allowed_pattern: Option<String>,
    /// The data type, against which AWS validates the value
    /// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html>).
    #[spec(one_of = ["text", "aws:ec2:image", "aws:ssm:integration"], default = "text")]
    pub(super) data_type: Option<ServerDefault<String>>,
}

/// The read-only attributes of a Parameter.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParameterStatus {
    /// The ARN of the parameter.
    pub(super) arn: String,
    /// The version number of the parameter, from 1.
    pub(super) version: i64,
}
