//! Parameter: a value that programs read by name.

use std::collections::BTreeMap;

use aws_sdk_ssm::types::{ParameterMetadata, ParameterType, ResourceTypeForTagging};
use futures::future::try_join;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::tagging::{self, Tags};
use holdfast_base::together::try_join_all;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Once, Ref, ValueFrom};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::content::{self, Content};
use super::{sdk_tags, ssm, tags_of};
use crate::kms::key::Key;
use crate::secretsmanager::CurrentVersion;
use crate::secretsmanager::generate::Generate;
use crate::secretsmanager::secret::Secret;

/// The key under which AWS encrypts what says nothing of a key.
const OWN_KEY: &str = "alias/aws/ssm";
const SECURE: &str = "SecureString";

/// A parameter of the Parameter Store. Its default name is `/<stack>-<env>-<name>`; names do not begin with `aws` or
/// `ssm`. State one of `value`, `generate`, `valueFrom` and `secret`; a value that is encrypted is in no document,
/// plan, log or tag.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parameter {
    /// `String`, `StringList`, or `SecureString` for what is encrypted.
    pub(super) r#type: String,
    /// The value of a `String` or, parted by commas, a `StringList`: at most 4 KB, with the tier `Advanced` 8 KB.
    pub(super) value: Option<String>,
    /// With `SecureString`: a value that is made once and then left alone.
    pub(super) generate: Option<Once<Generate>>,
    /// With `SecureString`: a value from outside, `{ env: NAME }` or `{ file: PATH }`. Where the variable or file is
    /// not there, a live parameter is left as it is, and a missing one is not made.
    pub(super) value_from: Option<ValueFrom>,
    /// With `SecureString`: the secret whose value it has. It follows when that is rotated.
    pub(super) secret: Option<Ref<Secret, CurrentVersion>>,
    /// The JSON field of the secret's value; without it, the whole.
    pub(super) secret_field: Option<String>,
    /// What it is for: at most 1,024 characters.
    description: Option<String>,
    /// With `SecureString`: the key that encrypts it; `null` for the service's own, `alias/aws/ssm`.
    kms_key: Option<Ref<Key, Arn>>,
    /// `Standard` or `Advanced`, which costs money. AWS turns an advanced one into no standard one
    /// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html>).
    tier: Option<Always<String>>,
    /// A regular expression that the value has to match.
    allowed_pattern: Option<String>,
    /// `text` (AWS's default), `aws:ec2:image` or `aws:ssm:integration`: AWS checks the value accordingly.
    data_type: Option<Always<String>>,
}

/// What only AWS knows of a Parameter.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParameterStatus {
    /// Its ARN.
    arn: String,
    /// The number of its version, from 1.
    pub(super) version: i64,
}

impl Kind for Parameter {
    type Status = ParameterStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming { prefix: "/", ..Naming::limit(1011) };
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = ssm(aws).describe_parameters().max_results(50).into_paginator().send();
        let pages = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        let listed: Vec<_> = pages.into_iter().flat_map(|page| page.parameters.unwrap_or_default()).collect();
        let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
        let wanted = |p: &ParameterMetadata| {
            let (name, arn) = (p.name().unwrap_or_default(), p.arn().unwrap_or_default());
            scope.is_candidate(name) || scope.ids.contains(name) || scope.ids.contains(arn) || by_fields
        };
        let wanted: Vec<ParameterMetadata> = listed.into_iter().filter(wanted).collect();
        // The values of those that anybody may read; the others are left where they are.
        let open = wanted.iter().filter(|p| p.r#type != Some(ParameterType::SecureString));
        let open: Vec<String> = open.filter_map(|p| p.name.clone()).collect();
        let values = try_join_all(open.chunks(10).map(|names| content::values(aws, names)));
        let tags = try_join_all(wanted.iter().map(|parameter| known_tags(aws, scope, parameter)));
        let (values, tags) = try_join(values, tags).await?;
        let values: BTreeMap<String, String> = values.into_iter().flatten().collect();
        let found = wanted.iter().zip(tags).filter_map(|(p, tags)| live(p, &values, tags?));
        Ok(found.collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let Content { text, remembered } = content::of(aws, &desired.spec).await?;
        let mut tags = desired.tags.clone();
        tags.extend(content::tags(remembered, 1));
        // Tags are taken for what is new only, and only without Overwrite.
        let made = put(aws, &desired.name, &desired.spec)
            .set_description(desired.spec.description.clone())
            .set_allowed_pattern(desired.spec.allowed_pattern.clone())
            .value(text.expose())
            .set_tags(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        let told = aws.arn("ssm", &format!("parameter/{}", desired.name.trim_start_matches('/')));
        let told = told.and_then(|arn| {
            let Parameter { value, description, kms_key, allowed_pattern, data_type, .. } = &desired.spec;
            let told = ParameterMetadata::builder()
                .name(&desired.name)
                .arn(arn)
                .r#type(desired.spec.r#type.as_str().into())
                .version(made.version)
                .set_tier(made.tier)
                .set_description(description.clone())
                .set_key_id(kms_key.as_ref().map(|key| key.as_str().to_owned()))
                .set_allowed_pattern(allowed_pattern.clone())
                .set_data_type(data_type.as_deref().cloned());
            let values = value.iter().map(|value| (desired.name.clone(), value.clone())).collect();
            // A further value makes another version, which only AWS tells.
            Some(live(&told.build(), &values, tags)?.keep(()))
        });
        Ok(told.map_or_else(|| Made::unseen(&desired.name), Into::into))
    }

    /// One call that replaces the whole, with the value in it: an encrypted one that stays is read for that.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let fresh = ["value", "valueFrom", "secret", "secretField", "generate", "type"];
        let fresh = fresh.iter().any(|field| desired.changed(field));
        let made = content::next(aws, live, &desired.spec, fresh).await?;
        let done = put(aws, &live.id, &desired.spec)
            .description(desired.spec.description.as_deref().unwrap_or_default())
            .allowed_pattern(desired.spec.allowed_pattern.as_deref().unwrap_or_default())
            .value(made.text.expose())
            .overwrite(true)
            .send()
            .await?;
        let set = content::tags(made.remembered, done.version);
        let stale = content::KEYS.iter().filter(|key| live.tags.contains_key(**key) && !set.contains_key(**key));
        let remove = stale.map(|key| (*key).to_owned()).collect();
        Self::tag(aws, live, &Retag { set, remove }).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ssm(aws).delete_parameter().name(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        if !set.is_empty() {
            let add = ssm(aws).add_tags_to_resource().resource_type(ResourceTypeForTagging::Parameter);
            add.resource_id(&live.id).set_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let take = ssm(aws).remove_tags_from_resource().resource_type(ResourceTypeForTagging::Parameter);
            take.resource_id(&live.id).set_tag_keys(Some(remove.iter().cloned().collect())).send().await?;
        }
        Ok(())
    }
}

/// What a create and an update say alike.
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

/// Its tags. Of an encrypted one they say which value it has: a hint that lags behind would make that differ.
async fn known_tags(aws: &Aws, scope: &Scope, parameter: &ParameterMetadata) -> Result<Option<Tags>> {
    let (name, arn) = (parameter.name().unwrap_or_default(), parameter.arn().unwrap_or_default());
    match parameter.r#type {
        Some(ParameterType::SecureString) => tags_of(aws, name).await,
        _ => tagging::tags(aws, scope, arn, || tags_of(aws, name)).await,
    }
}

/// A parameter; none when an open one has no value, because it went away between two calls.
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
        generate: (kind == SECURE).then(|| Once(Generate::default())),
        value_from: secure.value_from,
        secret: secure.secret,
        secret_field: secure.field,
        description: parameter.description().filter(|text| !text.is_empty()).map(str::to_owned),
        kms_key: parameter.key_id().filter(|key| !key.is_empty() && !key.ends_with(OWN_KEY)).map(Ref::new),
        tier: parameter.tier.as_ref().map(|tier| Always(tier.as_str().to_owned())),
        allowed_pattern: parameter.allowed_pattern().filter(|text| !text.is_empty()).map(str::to_owned),
        data_type: parameter.data_type.clone().map(Always),
    };
    let status = ParameterStatus { arn: parameter.arn.clone().unwrap_or_default(), version };
    Some(Live::new(name, name, spec, status).tags(tags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encrypted_value_is_never_seen() {
        let parameter =
            |kind: ParameterType| ParameterMetadata::builder().name("/a").r#type(kind).key_id(OWN_KEY).build();
        let secure = live(&parameter(ParameterType::SecureString), &BTreeMap::new(), Tags::new()).map(|live| live.spec);
        assert!(secure.is_some_and(|s| s.value.is_none() && s.generate.is_some() && s.kms_key.is_none()));
        assert!(live(&parameter(ParameterType::String), &BTreeMap::new(), Tags::new()).is_none());
    }
}
