//! Parameter: a parameter of the Parameter Store, which programs read by name.

mod content;
mod spec;

use std::collections::BTreeMap;

use aws_sdk_ssm::types::{ParameterMetadata, ParameterType};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::owner::{TagOnCreate, change_tags};
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::try_join_all::try_join_all;
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::schema::relation::{
    Condition::{Is, Stated},
    Demand::{Needs, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{FieldName, Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::types::{OnlyAtCreate, Ref, ServerDefault};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use regex::Regex;

use super::{ParameterTags, sdk_tags, ssm, tags_of};
use crate::secretsmanager::generate::GenerateSecretString;
use content::ParameterContent;
use spec::SECURE;
pub(crate) use spec::{Parameter, ParameterStatus};

/// The AWS managed key, for a parameter that names no key.
const OWN_KEY: &str = "alias/aws/ssm";
/// The largest value of a standard parameter, in bytes
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html>).
const STANDARD_BYTES: usize = 4096;

impl Kind for Parameter {
    type Status = ParameterStatus;
    type Owner = TagOnCreate<ParameterTags>;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules {
        prefix: "/",
        form: (r"[A-Za-z0-9_.\-/]+", "has letters, digits and the characters `_.-/`"),
        reserved: &["aws", "ssm", "/aws", "/ssm"],
        ..NamingRules::limit(1011)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
        demand(OneOf("type", &["SecureString"])).when(&[Stated("kmsKey")]),
        demand(OneOf("type", &["String"])).when(&[Is("dataType", &["aws:ec2:image"])]),
        demand(Needs("secret")).when(&[Stated("secretField")]),
    ];

    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        let text = |field: FieldName<Parameter>| spec.get(field.name()).and_then(Value::text);
        let bytes = text(Parameter::VALUE).map_or(0, str::len);
        let is_standard = text(Parameter::TIER) == Some("Standard");
        let large = (is_standard && bytes > STANDARD_BYTES).then(|| {
            let rule = format!("a parameter of the tier Standard has at most {STANDARD_BYTES} bytes");
            (Parameter::VALUE.name(), format!("{rule}, but this has {bytes}; the tier Advanced accepts 8192"))
        });
        // AWS uses the regular expressions of Java. One that this build cannot read is not checked.
        let pattern = text(Parameter::ALLOWED_PATTERN).and_then(|pattern| Some((pattern, Regex::new(pattern).ok()?)));
        let other = pattern.zip(text(Parameter::VALUE)).filter(|((_, regex), value)| !regex.is_match(value));
        let other = other.map(|((pattern, _), value)| {
            (Parameter::VALUE.name(), format!("`{value}` does not match the `allowedPattern` `{pattern}`"))
        });
        large.into_iter().chain(other).collect()
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = ssm(aws).describe_parameters().max_results(50).into_paginator().send();
        let pages = all(pages).await?;
        let listed: Vec<_> = pages.into_iter().flat_map(|page| page.parameters.unwrap_or_default()).collect();
        let wanted = each(listed, |parameter| async move {
            let Some(listed) = live(&parameter, None, Tags::new()) else { return Ok(None) };
            let known = Listed::name(&listed.name).or_id(&listed.status.arn).spec(&listed.spec);
            if !scope.wants(&known).any() {
                return Ok(None);
            }
            let Some(tags) = current_tags(aws, scope, &parameter).await? else { return Ok(None) };
            let want = scope.wants(&known.tags(&tags));
            Ok(want.any().then_some((parameter, tags, want)))
        })
        .await?;
        // Only the values of unencrypted parameters are read.
        let is_open = |parameter: &ParameterMetadata| parameter.r#type != Some(ParameterType::SecureString);
        let open = wanted.iter().filter(|(parameter, _, want)| want.fields() && is_open(parameter));
        let open: Vec<String> = open.filter_map(|(parameter, ..)| parameter.name.clone()).collect();
        let values = try_join_all(open.chunks(10).map(|names| content::values(aws, names))).await?;
        let values: BTreeMap<String, String> = values.into_iter().flatten().collect();
        let found = wanted.into_iter().filter_map(|(parameter, tags, want)| {
            let value = values.get(parameter.name()?).cloned();
            // A parameter without a value was deleted between two calls.
            let is_gone = want.fields() && is_open(&parameter) && value.is_none();
            live(&parameter, value, tags).filter(|_| !is_gone)
        });
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
            self::live(&metadata.build(), value.clone(), tags)
        });
        Ok(live.map_or_else(|| Created::unobserved(&desired.name), Into::into))
    }

    /// Replaces the whole parameter with one call. The call includes the value, so an unchanged encrypted value is read
    /// first.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let value_changed = desired.changed_any(&[
            Parameter::VALUE,
            Parameter::VALUE_FROM,
            Parameter::SECRET,
            Parameter::SECRET_FIELD,
            Parameter::GENERATE,
            Parameter::TYPE,
        ]);
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
        change_tags::<ParameterTags>(aws, &live.id, &TagChanges { set, remove }).await?;
        // Only an observation returns the number of the new version.
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ssm(aws).delete_parameter().name(&live.id).send().await?;
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

/// Returns the live parameter; `None` when the response is incomplete.
fn live(parameter: &ParameterMetadata, value: Option<String>, tags: Tags) -> Option<Live<Parameter>> {
    let (name, kind) = (parameter.name()?, parameter.r#type.as_ref()?.as_str());
    let version = parameter.version;
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
    fn the_size_and_the_pattern_of_a_value_are_checked() {
        let errors = |spec: serde_json::Value| Parameter::check("", &spec.into()).len();
        let value = |tier: &str| serde_json::json!({ "value": "x".repeat(4097), "tier": tier });
        assert_eq!((errors(value("Standard")), errors(value("Advanced"))), (1, 0));
        let pattern = |value: &str| serde_json::json!({ "value": value, "allowedPattern": "^[0-9.]+$" });
        assert_eq!((errors(pattern("1.27")), errors(pattern("latest"))), (0, 1));
    }

    #[test]
    fn an_encrypted_value_is_never_observed() {
        let parameter =
            |kind: ParameterType| ParameterMetadata::builder().name("/a").r#type(kind).key_id(OWN_KEY).build();
        let secure = live(&parameter(ParameterType::SecureString), None, Tags::new()).map(|live| live.spec);
        assert!(secure.is_some_and(|s| s.value.is_none() && s.generate.is_some() && s.kms_key.is_none()));
        let plain = live(&parameter(ParameterType::String), Some("a".into()), Tags::new()).map(|live| live.spec);
        assert_eq!(plain.and_then(|spec| spec.value).as_deref(), Some("a"));
    }
}
