//! The value of a parameter: where it comes from, and what remembers which one it is.
//!
//! Of an encrypted value tags say where it came from, as a version, and which version of the parameter that made.

use aws_sdk_ssm::types::Parameter as Answered;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::Live;
use holdfast_base::tagging::Tags;
use holdfast_base::vault::Plain;
use holdfast_core::types::{Ref, ValueFrom};

use super::parameter::Parameter;
use super::ssm;
use crate::secretsmanager::secret::Secret;
use crate::secretsmanager::{self, CurrentVersion};

const OPERATION: &str = "ssm.PutParameter";
/// Which version of a source it was last given: a secret's, or that of a value from outside.
const SOURCE: &str = "holdfast:secret/value";
/// The JSON field of the secret that it was last given.
const FIELD: &str = "holdfast:secret-field";
/// The version of the parameter that we made last.
const VERSION: &str = "holdfast:version";
/// All of these tags.
pub(super) const KEYS: [&str; 3] = [SOURCE, FIELD, VERSION];

/// A value, and the tags that remember where it came from.
pub(super) struct Content {
    pub(super) text: Plain,
    pub(super) remembered: Tags,
}

/// What the document wants.
pub(super) async fn of(aws: &Aws, spec: &Parameter) -> Result<Content> {
    let secure = spec.r#type == "SecureString";
    let stated = |from: &&ValueFrom| from.env.is_some() || from.file.is_some();
    let from = spec.value_from.as_ref().filter(stated);
    let remember = |source: Option<&str>| {
        let field = spec.secret_field.as_ref().filter(|_| spec.secret.is_some());
        let source = source.map(|source| (SOURCE.to_owned(), source.to_owned()));
        source.into_iter().chain(field.map(|field| (FIELD.to_owned(), field.clone()))).collect()
    };
    match (&spec.value, from, &spec.secret, &spec.generate) {
        (Some(text), None, None, _) if !secure => Ok(Content { text: Plain::new(text), remembered: Tags::new() }),
        (None, Some(from), None, _) if secure => {
            Ok(Content { text: aws.vault.value(OPERATION, from)?, remembered: remember(from.version.as_deref()) })
        }
        (None, None, Some(secret), _) if secure => {
            let text = secretsmanager::read(aws, secret, spec.secret_field.as_deref()).await?;
            Ok(Content { text, remembered: remember(Some(secret.as_str())) })
        }
        (None, None, None, Some(generate)) if secure => {
            Ok(Content { text: generate.0.make(OPERATION)?, remembered: Tags::new() })
        }
        _ => {
            let message = "state `value` of a String or StringList, and of a SecureString one of `generate`, `valueFrom` \
                           and `secret`";
            Err(Error::terminal(OPERATION, message))
        }
    }
}

/// What a live one is to have: its own value where no other is wanted.
pub(super) async fn next(aws: &Aws, live: &Live<Parameter>, spec: &Parameter, fresh: bool) -> Result<Content> {
    let stays = live.spec.r#type == "SecureString" && spec.r#type == "SecureString" && !fresh;
    if !stays {
        let mut spec = spec.clone();
        if spec.r#type == "SecureString" {
            // An open value that was live is nobody's wish any more; what is generated stays as it is.
            spec.value = None;
        }
        return of(aws, &spec).await;
    }
    let answer = ssm(aws).get_parameter().name(&live.id).with_decryption(true).send().await?;
    let text = answer.parameter.and_then(|parameter| parameter.value);
    let text = text.ok_or_else(|| Error::incomplete("ssm.GetParameter", "value"))?;
    // A value that somebody else put there stays somebody else's.
    let ours = live.tags.get(VERSION) == Some(&live.status.version.to_string());
    let known = live.tags.iter().filter(|(key, _)| ours && [SOURCE, FIELD].contains(&key.as_str()));
    Ok(Content { text: Plain::new(text), remembered: known.map(|(k, v)| (k.clone(), v.clone())).collect() })
}

/// The tags of a value, with the version of the parameter that it made.
pub(super) fn tags(remembered: Tags, version: i64) -> Tags {
    let mut tags = remembered;
    if !tags.is_empty() {
        tags.insert(VERSION.into(), version.to_string());
    }
    tags
}

/// Where an encrypted value came from.
#[derive(Default)]
pub(super) struct Origin {
    pub(super) value_from: Option<ValueFrom>,
    pub(super) secret: Option<Ref<Secret, CurrentVersion>>,
    pub(super) field: Option<String>,
}

/// Where the encrypted value of this version came from, as the tags remember; from nowhere that is known when somebody
/// else put it there.
pub(super) fn live(tags: &Tags, version: i64) -> Origin {
    let ours = tags.get(VERSION) == Some(&version.to_string());
    let source = tags.get(SOURCE).filter(|_| ours).cloned();
    let is_secret = source.as_ref().is_some_and(|source| source.contains('@'));
    let known = source.clone().unwrap_or_else(|| format!("of parameter version {version}"));
    Origin {
        value_from: Some(ValueFrom { version: Some(known), ..ValueFrom::default() }),
        secret: source.filter(|_| is_secret).map(Ref::new),
        field: tags.get(FIELD).cloned(),
    }
}

/// The values of open parameters, ten names a call at most.
pub(super) async fn values(aws: &Aws, names: &[String]) -> Result<Vec<(String, String)>> {
    let answer = ssm(aws).get_parameters().set_names(Some(names.to_vec())).send().await?;
    let pair = |parameter: Answered| Some((parameter.name?, parameter.value?));
    Ok(answer.parameters.unwrap_or_default().into_iter().filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_another_version_is_from_nowhere() {
        let remembered = Tags::from([(SOURCE.to_owned(), "arn:s@v1".to_owned())]);
        let tags = tags(remembered, 3);
        let ours = live(&tags, 3);
        assert_eq!(ours.secret.map(|secret| secret.to_string()).as_deref(), Some("arn:s@v1"));
        let others = live(&tags, 4);
        assert!(others.secret.is_none());
        assert_eq!(others.value_from.and_then(|from| from.version).as_deref(), Some("of parameter version 4"));
    }
}
