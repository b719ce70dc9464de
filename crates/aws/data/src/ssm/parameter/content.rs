//! The value of a parameter: its source, and the tags that record the source.
//!
//! For an encrypted value, tags record the version of the source and the version of the parameter that holds the value.
//! The record counts only while that version is current, so the tags are no field tags
//! ([`Kind::FIELD_TAGS`](holdfast_base::kind::Kind::FIELD_TAGS)).

use aws_sdk_ssm::types::Parameter as ResponseParameter;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::Live;
use holdfast_base::plain::Plain;
use holdfast_base::tagging::Tags;
use holdfast_core::types::{Ref, ValueFrom};

use super::spec::{Parameter, SECURE};
use crate::consumed_secret::{CurrentVersion, read};
use crate::secretsmanager::secret::Secret;
use crate::ssm::ssm;

const OPERATION: &str = "ssm.PutParameter";
/// The tag that records the version of the source: of a secret, or of a value from outside.
const SOURCE: &str = "holdfast:secret/value";
/// The tag that records the JSON field of the secret.
const FIELD: &str = "holdfast:secret-field";
/// The tag that records the version of the parameter that Holdfast put last.
const VERSION: &str = "holdfast:version";
/// The keys of all of these tags.
pub(super) const KEYS: [&str; 3] = [SOURCE, FIELD, VERSION];

/// A value to put into a parameter, and the tags that record its source.
pub(super) struct ParameterContent {
    pub(super) text: Plain,
    pub(super) source_tags: Tags,
}

/// Returns the desired value.
pub(super) async fn desired(aws: &Aws, spec: &Parameter) -> Result<ParameterContent> {
    let secure = spec.r#type == SECURE;
    let stated = |from: &&ValueFrom| from.env.is_some() || from.file.is_some();
    let from = spec.value_from.as_ref().filter(stated);
    let source_tags = |source: Option<&str>| {
        let field = spec.secret_field.as_ref().filter(|_| spec.secret.is_some());
        let source = source.map(|source| (SOURCE.to_owned(), source.to_owned()));
        source.into_iter().chain(field.map(|field| (FIELD.to_owned(), field.clone()))).collect()
    };
    match (&spec.value, from, &spec.secret, &spec.generate) {
        (Some(text), None, None, _) if !secure => {
            Ok(ParameterContent { text: Plain::new(text), source_tags: Tags::new() })
        }
        (None, Some(from), None, _) if secure => Ok(ParameterContent {
            text: aws.secret_store.value(OPERATION, from)?,
            source_tags: source_tags(from.version.as_deref()),
        }),
        (None, None, Some(secret), _) if secure => {
            let text = read(aws, secret, spec.secret_field.as_deref()).await?;
            Ok(ParameterContent { text, source_tags: source_tags(Some(secret.as_str())) })
        }
        (None, None, None, Some(generate)) if secure => {
            Ok(ParameterContent { text: generate.0.new_value(OPERATION)?, source_tags: Tags::new() })
        }
        _ => {
            let message = "for a String or StringList, state `value`; for a SecureString, state one of `generate`, \
                           `valueFrom` and `secret`";
            Err(Error::terminal(OPERATION, message))
        }
    }
}

/// Returns the value of an update: the live value if `value_changed` is false, or the desired value.
pub(super) async fn updated(
    aws: &Aws,
    live: &Live<Parameter>,
    spec: &Parameter,
    value_changed: bool,
) -> Result<ParameterContent> {
    let keeps_value = live.spec.r#type == SECURE && spec.r#type == SECURE && !value_changed;
    if !keeps_value {
        let mut spec = spec.clone();
        if spec.r#type == SECURE {
            // `value` holds the live text of a former String, which the document does not state.
            spec.value = None;
        }
        return desired(aws, &spec).await;
    }
    let response = ssm(aws).get_parameter().name(&live.id).with_decryption(true).send().await?;
    let text = response.parameter.and_then(|parameter| parameter.value);
    let text = text.ok_or_else(|| Error::incomplete("ssm.GetParameter", "value"))?;
    // A value that was put out of band keeps no source tags.
    let ours = live.tags.get(VERSION) == Some(&live.status.version.to_string());
    let recorded = live.tags.iter().filter(|(key, _)| ours && [SOURCE, FIELD].contains(&key.as_str()));
    Ok(ParameterContent {
        text: Plain::new(text),
        source_tags: recorded.map(|(k, v)| (k.clone(), v.clone())).collect(),
    })
}

/// Returns the source tags of a value, with the version of the parameter that holds the value.
pub(super) fn tags(source_tags: Tags, version: i64) -> Tags {
    let mut tags = source_tags;
    if !tags.is_empty() {
        tags.insert(VERSION.into(), version.to_string());
    }
    tags
}

/// The source of an encrypted value.
#[derive(Default)]
pub(super) struct ValueSource {
    pub(super) value_from: Option<ValueFrom>,
    pub(super) secret: Option<Ref<Secret, CurrentVersion>>,
    pub(super) field: Option<String>,
}

/// Returns the source of the encrypted value of this version, from the tags. The source of a version that was put out
/// of band is unknown.
pub(super) fn live(tags: &Tags, version: i64) -> ValueSource {
    let ours = tags.get(VERSION) == Some(&version.to_string());
    let source = tags.get(SOURCE).filter(|_| ours).cloned();
    let is_secret = source.as_ref().is_some_and(|source| source.contains('@'));
    let source_version = source.clone().unwrap_or_else(|| format!("of parameter version {version}"));
    ValueSource {
        value_from: Some(ValueFrom { version: Some(source_version), ..ValueFrom::default() }),
        secret: source.filter(|_| is_secret).map(Ref::new),
        field: tags.get(FIELD).cloned(),
    }
}

/// Reads the values of unencrypted parameters: at most ten names a call.
pub(super) async fn values(aws: &Aws, names: &[String]) -> Result<Vec<(String, String)>> {
    let response = ssm(aws).get_parameters().set_names(Some(names.to_vec())).send().await?;
    let pair = |parameter: ResponseParameter| Some((parameter.name?, parameter.value?));
    Ok(response.parameters.unwrap_or_default().into_iter().filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_an_out_of_band_version_is_unknown() {
        let source_tags = Tags::from([(SOURCE.to_owned(), "arn:s@v1".to_owned())]);
        let tags = tags(source_tags, 3);
        let ours = live(&tags, 3);
        assert_eq!(ours.secret.map(|secret| secret.to_string()).as_deref(), Some("arn:s@v1"));
        let out_of_band = live(&tags, 4);
        assert!(out_of_band.secret.is_none());
        assert_eq!(out_of_band.value_from.and_then(|from| from.version).as_deref(), Some("of parameter version 4"));
    }
}
