//! Parameter: a parameter of the Parameter Store, which programs read by name.

use std::collections::BTreeMap;

use aws_sdk_ssm::types::{ParameterMetadata, ParameterType, ResourceTypeForTagging};
use futures::future::try_join;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::try_join_all::try_join_all;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, OnlyAtCreate, Ref, ServerDefault, ValueFrom};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::content::{self, ParameterContent};
use super::{sdk_tags, ssm, tags_of};
use crate::kms::key::Key;
use crate::secretsmanager::CurrentVersion;
use crate::secretsmanager::generate::GenerateSecretString;
use crate::secretsmanager::secret::Secret;

/// The AWS managed key, for a parameter that names no key.
const OWN_KEY: &str = "alias/aws/ssm";
const SECURE: &str = "SecureString";

/// A parameter of the Systems Manager Parameter Store.
///
/// The default name is `/<stack>-<env>-<name>`; a name does not begin with `aws` or `ssm`. State one of `value`,
/// `generate`, `valueFrom` and `secret`. An encrypted value is in no document, plan, log or tag.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parameter {
    /// The type: `String`, `StringList`, or `SecureString` for an encrypted value.
    pub(super) r#type: String,
    /// The value of a `String`, or the comma-separated values of a `StringList`: at most 4 KB; 8 KB with the tier
    /// `Advanced`.
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
    /// The description: at most 1,024 characters.
    description: Option<String>,
    /// With `SecureString`: the KMS key that encrypts the value; `null` for the AWS managed key, `alias/aws/ssm`.
    kms_key: Option<Ref<Key, Arn>>,
    /// The parameter tier: `Standard`, or `Advanced`, which costs money. AWS cannot change an advanced parameter into a
    /// standard one
    /// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html>).
    tier: Option<ServerDefault<String>>,
    /// A regular expression that the value must match.
    allowed_pattern: Option<String>,
    /// The data type, against which AWS validates the value: `text` (AWS's default), `aws:ec2:image` or
    /// `aws:ssm:integration`.
    data_type: Option<ServerDefault<String>>,
}

/// The read-only attributes of a Parameter.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParameterStatus {
    /// The ARN of the parameter.
    arn: String,
    /// The version number of the parameter, from 1.
    pub(super) version: i64,
}

impl Kind for Parameter {
    type Status = ParameterStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules { prefix: "/", ..NamingRules::limit(1011) };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = ssm(aws).describe_parameters().max_results(50).into_paginator().send();
        let pages = all(pages).await?;
        let listed: Vec<_> = pages.into_iter().flat_map(|page| page.parameters.unwrap_or_default()).collect();
        let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
        let is_requested = |p: &ParameterMetadata| {
            let (name, arn) = (p.name().unwrap_or_default(), p.arn().unwrap_or_default());
            scope.is_candidate(name) || scope.ids.contains(name) || scope.ids.contains(arn) || by_fields
        };
        let requested: Vec<ParameterMetadata> = listed.into_iter().filter(is_requested).collect();
        // Only the values of unencrypted parameters are read.
        let open = requested.iter().filter(|p| p.r#type != Some(ParameterType::SecureString));
        let open: Vec<String> = open.filter_map(|p| p.name.clone()).collect();
        let values = try_join_all(open.chunks(10).map(|names| content::values(aws, names)));
        let tags = try_join_all(requested.iter().map(|parameter| current_tags(aws, scope, parameter)));
        let (values, tags) = try_join(values, tags).await?;
        let values: BTreeMap<String, String> = values.into_iter().flatten().collect();
        let found = requested.iter().zip(tags).filter_map(|(p, tags)| live(p, &values, tags?));
        Ok(found.collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let ParameterContent { text, source_tags } = content::desired(aws, &desired.spec).await?;
        let mut tags = desired.tags.clone();
        tags.extend(content::tags(source_tags, 1));
        // PutParameter accepts tags only for a new parameter, and only without `Overwrite`.
        let created = put(aws, &desired.name, &desired.spec)
            .set_description(desired.spec.description.clone())
            .set_allowed_pattern(desired.spec.allowed_pattern.clone())
            .value(text.expose())
            .set_tags(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        let live = aws.arn("ssm", &format!("parameter/{}", desired.name.trim_start_matches('/')));
        let live = live.and_then(|arn| {
            let Parameter { value, description, kms_key, allowed_pattern, data_type, .. } = &desired.spec;
            let metadata = ParameterMetadata::builder()
                .name(&desired.name)
                .arn(arn)
                .r#type(desired.spec.r#type.as_str().into())
                .version(created.version)
                .set_tier(created.tier)
                .set_description(description.clone())
                .set_key_id(kms_key.as_ref().map(|key| key.as_str().to_owned()))
                .set_allowed_pattern(allowed_pattern.clone())
                .set_data_type(data_type.as_deref().cloned());
            let values = value.iter().map(|value| (desired.name.clone(), value.clone())).collect();
            // A later update puts another version, whose number only a new observation returns.
            Some(self::live(&metadata.build(), &values, tags)?.keep(()))
        });
        Ok(live.map_or_else(|| Created::unobserved(&desired.name), Into::into))
    }

    /// Replaces the whole parameter with one call. The call includes the value, so an unchanged encrypted value is read
    /// first.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let value_fields = ["value", "valueFrom", "secret", "secretField", "generate", "type"];
        let value_changed = value_fields.iter().any(|field| desired.changed(field));
        let content = content::updated(aws, live, &desired.spec, value_changed).await?;
        let response = put(aws, &live.id, &desired.spec)
            .description(desired.spec.description.as_deref().unwrap_or_default())
            .allowed_pattern(desired.spec.allowed_pattern.as_deref().unwrap_or_default())
            .value(content.text.expose())
            .overwrite(true)
            .send()
            .await?;
        let set = content::tags(content.source_tags, response.version);
        let stale = content::KEYS.iter().filter(|key| live.tags.contains_key(**key) && !set.contains_key(**key));
        let remove = stale.map(|key| (*key).to_owned()).collect();
        Self::tag(aws, live, &TagChanges { set, remove }).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ssm(aws).delete_parameter().name(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        let TagChanges { set, remove } = tags;
        if !set.is_empty() {
            let add = ssm(aws).add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
            add.resource_id(&live.id).set_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let untag = ssm(aws).remove_tags_from_resource().resource_type(ResourceTypeForTagging::Parameter);
            untag.resource_id(&live.id).set_tag_keys(Some(remove.iter().cloned().collect())).send().await?;
        }
        Ok(())
    }
}

/// Returns the part of the call that a create and an update have in common.
fn put(
    aws: &Aws,
    name: &str,
    spec: &Parameter,
) -> aws_sdk_ssm::operation::put_parameter::builders::PutParameterFluentBuilder {
    let Parameter {
        r#type,
        value: _,
        generate: _,
        value_from: _,
        secret: _,
        secret_field: _,
        description: _,
        kms_key,
        tier,
        allowed_pattern: _,
        data_type,
    } = spec;
    let key = kms_key.as_ref().map_or(OWN_KEY, |key| key.as_str());
    ssm(aws)
        .put_parameter()
        .name(name)
        .r#type(r#type.as_str().into())
        .set_key_id((r#type == SECURE).then(|| key.to_owned()))
        .set_tier(tier.as_ref().map(|tier| tier.0.as_str().into()))
        .set_data_type(data_type.as_ref().map(|data_type| data_type.0.clone()))
}

/// Returns the tags of a parameter. The tags of an encrypted parameter record its value, so they are never read from
/// the tag index, which lags behind.
async fn current_tags(aws: &Aws, scope: &Scope, parameter: &ParameterMetadata) -> Result<Option<Tags>> {
    let (name, arn) = (parameter.name().unwrap_or_default(), parameter.arn().unwrap_or_default());
    match parameter.r#type {
        Some(ParameterType::SecureString) => tags_of(aws, name).await,
        _ => tagging::tags(aws, scope, arn, || tags_of(aws, name)).await,
    }
}

/// Returns the live parameter; `None` for an unencrypted parameter without a value, which was deleted between two
/// calls.
fn live(parameter: &ParameterMetadata, values: &BTreeMap<String, String>, tags: Tags) -> Option<Live<Parameter>> {
    let (name, kind) = (parameter.name()?, parameter.r#type.as_ref()?.as_str());
    let (version, value) = (parameter.version, values.get(name).cloned());
    if kind != SECURE && value.is_none() {
        return None;
    }
    let secure = if kind == SECURE { content::live(&tags, version) } else { Default::default() };
    let spec = Parameter {
        r#type: kind.to_owned(),
        value,
        generate: (kind == SECURE).then(|| OnlyAtCreate(GenerateSecretString::default())),
        value_from: secure.value_from,
        secret: secure.secret,
        secret_field: secure.field,
        description: parameter.description().filter(|text| !text.is_empty()).map(str::to_owned),
        kms_key: parameter.key_id().filter(|key| !key.is_empty() && !key.ends_with(OWN_KEY)).map(Ref::new),
        tier: parameter.tier.as_ref().map(|tier| ServerDefault(tier.as_str().to_owned())),
        allowed_pattern: parameter.allowed_pattern().filter(|text| !text.is_empty()).map(str::to_owned),
        data_type: parameter.data_type.clone().map(ServerDefault),
    };
    let status = ParameterStatus { arn: parameter.arn.clone().unwrap_or_default(), version };
    Some(Live::new(name, name, spec, status).tags(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_value_is_never_observed() {
        let parameter =
            |kind: ParameterType| ParameterMetadata::builder().name("/a").r#type(kind).key_id(OWN_KEY).build();
        let secure = live(&parameter(ParameterType::SecureString), &BTreeMap::new(), Tags::new()).map(|live| live.spec);
        assert!(secure.is_some_and(|s| s.value.is_none() && s.generate.is_some() && s.kms_key.is_none()));
        assert!(live(&parameter(ParameterType::String), &BTreeMap::new(), Tags::new()).is_none());
    }
}
