//! Repository: a private ECR repository of container images.

use std::collections::BTreeSet;

use aws_sdk_ecr::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::field_tags::FieldTag;
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagOnCreate};
use holdfast_base::sdk::all;
use holdfast_base::wanted::{each, is_requested_field, observe_listed};
use holdfast_core::Spec;
use holdfast_core::canonical;
use holdfast_core::policy::PolicyType;
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{AnyOf, Excludes, Needs, OneOf, Unique, ValidPolicy},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier, Type, Typed};
use holdfast_core::types::{JsonText, PolicyDocument};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{EcrTags, ecr, sdk_tags, tags_of};

/// A private ECR repository of container images.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repository {
    /// Whether an image tag can be moved to another image, for all image tags or with exclusion filters.
    #[spec(one_of = sdk::ImageTagMutability, default = "MUTABLE")]
    image_tag_mutability: Option<String>,
    /// The exclusion filters of a mutability `…_WITH_EXCLUSION`.
    #[spec(items = ..=5)]
    image_tag_mutability_exclusion_filters: Option<BTreeSet<ImageTagMutabilityExclusionFilter>>,
    /// The image scanning of this repository. Scanning rules of the registry, if there are any, override it
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html>).
    image_scanning_configuration: Option<ImageScanningConfiguration>,
    /// The encryption of images at rest. AWS's default is `AES256`.
    #[spec(immutable, default = null)]
    encryption_configuration: Option<EncryptionConfiguration>,
    /// The lifecycle policy, which expires images, as YAML or JSON: `{ rules: [{ rulePriority, selection, action }] }`
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>).
    lifecycle_policy: Option<LifecyclePolicy>,
    /// The repository policy: which principals, besides the account's own identities, may push and pull.
    repository_policy: Option<PolicyDocument>,
    /// Whether deleting the repository also deletes its images. Without it, AWS refuses to delete a repository that has
    /// images. Recorded in the tag `holdfast:empty-on-delete`.
    #[serde(default)]
    empty_on_delete: bool,
}

/// A filter that excludes image tags from the tag mutability setting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["filterType", "filter"])]
pub(crate) struct ImageTagMutabilityExclusionFilter {
    /// The type of the filter.
    #[serde(default = "wildcard")]
    #[spec(one_of = sdk::ImageTagMutabilityExclusionFilterType)]
    filter_type: String,
    /// The pattern of image tags: up to two `*` match any characters.
    #[spec(length = 1..=128, pattern = "[0-9a-zA-Z._*-]+")]
    filter: String,
}

fn wildcard() -> String {
    "WILDCARD".into()
}

/// The image scanning configuration.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageScanningConfiguration {
    /// Whether AWS scans each image when it is pushed.
    #[serde(default)]
    #[spec(default = false)]
    scan_on_push: bool,
}

/// The encryption of images at rest.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EncryptionConfiguration {
    /// The type of the encryption; `KMS_DSSE` has two layers.
    #[spec(one_of = sdk::EncryptionType, default = "AES256")]
    encryption_type: String,
    /// The ARN of the KMS key, if it is not ECR's AWS managed key. AWS returns the ARN, whatever the request contains.
    #[spec(length = 1..=2048, spelling = Key)]
    kms_key: Option<String>,
}

/// A lifecycle policy. AWS returns its rules in the order of their priorities, whatever order they were sent in
/// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html>).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct LifecyclePolicy(JsonText);

impl Typed for LifecyclePolicy {
    const TYPE: Type = Type::Canonical { name: "lifecycle policy", canonical: lifecycle_policy };
}

/// Returns the policy with its rules in the order of their priorities, the lists of a selection sorted, and without
/// empty descriptions.
fn lifecycle_policy(value: &Value) -> std::result::Result<Value, String> {
    let mut policy = canonical::json(value)?;
    let Value::Map(document) = &mut policy else { return Err("a lifecycle policy is a map with `rules`".into()) };
    let Some(Value::List(rules)) = document.get_mut("rules") else {
        return Err("a lifecycle policy needs a list of `rules`".into());
    };
    for rule in rules.iter_mut() {
        let Value::Map(rule) = rule else { continue };
        rule.retain(|key, value| key != "description" || value.text() != Some(""));
        if let Some(Value::Map(selection)) = rule.get_mut("selection") {
            for list in ["tagPrefixList", "tagPatternList"] {
                if let Some(Value::List(tags)) = selection.get_mut(list) {
                    tags.sort_by_key(ToString::to_string);
                }
            }
        }
    }
    rules.sort_by_key(|rule| rule.get("rulePriority").and_then(Value::integer));
    Ok(policy)
}

/// The read-only attributes of a Repository.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepositoryStatus {
    /// The ARN of the repository.
    arn: String,
    /// The URI that images are pushed to and pulled from, without an image tag:
    /// `<account>.dkr.ecr.<region>.amazonaws.com/<name>`.
    repository_uri: Option<String>,
}

impl Kind for Repository {
    type Status = RepositoryStatus;
    type Owner = TagOnCreate<EcrTags, ByArn>;
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules {
        lowercase: true,
        form: (
            r"([a-z0-9]+([._-][a-z0-9]+|__[a-z0-9]+)*/)*[a-z0-9]+([._-][a-z0-9]+|__[a-z0-9]+)*",
            "has lower case letters, digits and single `.`, `_`, `-` and `/` between them",
        ),
        ..NamingRules::limit(256)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_EncryptionConfiguration.html
        demand(Excludes("kmsKey")).when(&[Is("encryptionType", &["AES256"])]).at("encryptionConfiguration"),
        // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
        demand(Needs("imageTagMutabilityExclusionFilters"))
            .when(&[Is("imageTagMutability", &["IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"])]),
        demand(Excludes("imageTagMutabilityExclusionFilters"))
            .when(&[Is("imageTagMutability", &["IMMUTABLE", "MUTABLE"])]),
        demand(ValidPolicy("repositoryPolicy", PolicyType::Resource)),
        // https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
        demand(Unique("rules", &["rulePriority"])).at("lifecyclePolicy"),
        demand(Needs("rulePriority")).at("lifecyclePolicy.rules.*"),
        demand(OneOf("selection.tagStatus", &["tagged", "untagged", "any"])).at("lifecyclePolicy.rules.*"),
        demand(Needs("selection.countNumber")).at("lifecyclePolicy.rules.*"),
        demand(Needs("selection.countUnit"))
            .when(&[Is("selection.countType", &["sinceImagePushed"])])
            .at("lifecyclePolicy.rules.*"),
        demand(AnyOf(&["selection.tagPrefixList", "selection.tagPatternList"]))
            .when(&[Is("selection.tagStatus", &["tagged"])])
            .at("lifecyclePolicy.rules.*"),
    ];
    const STATEFUL: bool = true;
    /// When the repository is deleted, the document no longer states the field.
    const FIELD_TAGS: &'static [FieldTag] = &[FieldTag::with_key(Self::EMPTY_ON_DELETE, "holdfast:empty-on-delete")];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let repositories = ecr(aws).describe_repositories().into_paginator().items().send();
        each(all(repositories).await?, |repository| async move {
            let listed = live(&repository)?;
            let arn = listed.status.arn.clone();
            observe_listed(scope, listed, tags_of(aws, scope, &arn), |live| observe_policies(aws, scope, live)).await
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Repository {
            image_tag_mutability,
            image_tag_mutability_exclusion_filters: filters,
            image_scanning_configuration: scanning,
            encryption_configuration: encryption,
            lifecycle_policy: _,
            repository_policy: _,
            empty_on_delete: _,
        } = &desired.spec;
        let encryption = encryption.as_ref().map(|e| {
            let encryption = sdk::EncryptionConfiguration::builder().encryption_type(e.encryption_type.as_str().into());
            encryption.set_kms_key(e.kms_key.clone()).build()
        });
        let created = ecr(aws)
            .create_repository()
            .repository_name(&desired.name)
            .set_image_tag_mutability(image_tag_mutability.as_deref().map(Into::into))
            .set_image_tag_mutability_exclusion_filters(filters.as_ref().map(sdk_filters).transpose()?)
            .set_image_scanning_configuration(scanning.as_ref().map(sdk_scanning))
            .set_encryption_configuration(encryption.transpose()?)
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let live = created.repository.and_then(|repository| live(&repository).ok());
        Ok(desired.confirmed(&desired.name, live))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Repository {
            image_tag_mutability,
            image_tag_mutability_exclusion_filters: filters,
            image_scanning_configuration: scanning,
            encryption_configuration: _,
            lifecycle_policy,
            repository_policy,
            empty_on_delete: _,
        } = &desired.spec;
        let (ecr, name) = (ecr(aws), &live.id);
        if desired.changed_any(&[Self::IMAGE_TAG_MUTABILITY, Self::IMAGE_TAG_MUTABILITY_EXCLUSION_FILTERS]) {
            let put = ecr.put_image_tag_mutability().repository_name(name);
            put.image_tag_mutability(image_tag_mutability.as_deref().unwrap_or("MUTABLE").into())
                .set_image_tag_mutability_exclusion_filters(filters.as_ref().map(sdk_filters).transpose()?)
                .send()
                .await?;
        }
        if desired.changed(Self::IMAGE_SCANNING_CONFIGURATION) {
            let off = ImageScanningConfiguration { scan_on_push: false };
            let put = ecr.put_image_scanning_configuration().repository_name(name);
            put.image_scanning_configuration(sdk_scanning(scanning.as_ref().unwrap_or(&off))).send().await?;
        }
        if desired.changed(Self::REPOSITORY_POLICY) {
            match repository_policy {
                Some(policy) => {
                    ecr.set_repository_policy().repository_name(name).policy_text(policy.json()).send().await?;
                }
                None => drop(ecr.delete_repository_policy().repository_name(name).send().await.or_absent()?),
            }
        }
        if desired.changed(Self::LIFECYCLE_POLICY) {
            match lifecycle_policy {
                Some(policy) => {
                    let put = ecr.put_lifecycle_policy().repository_name(name);
                    put.lifecycle_policy_text(policy.0.json()).send().await?;
                }
                None => drop(ecr.delete_lifecycle_policy().repository_name(name).send().await.or_absent()?),
            }
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let force = live.spec.empty_on_delete;
        ecr(aws).delete_repository().repository_name(&live.id).force(force).send().await?;
        Ok(())
    }
}

/// Adds the policies that the document states.
async fn observe_policies(aws: &Aws, scope: &Scope, mut live: Live<Repository>) -> Result<Option<Live<Repository>>> {
    let lifecycle = async {
        let get = ecr(aws).get_lifecycle_policy().repository_name(&live.id);
        match is_requested_field(scope, &live.tags, Repository::LIFECYCLE_POLICY) {
            true => get.send().await.or_absent(),
            false => Ok(None),
        }
    };
    let policy = async {
        let get = ecr(aws).get_repository_policy().repository_name(&live.id);
        match is_requested_field(scope, &live.tags, Repository::REPOSITORY_POLICY) {
            true => get.send().await.or_absent(),
            false => Ok(None),
        }
    };
    let (lifecycle, policy) = futures::try_join!(lifecycle, policy)?;
    let lifecycle = lifecycle.and_then(|response| response.lifecycle_policy_text);
    live.spec.lifecycle_policy = lifecycle.as_deref().map(|text| LifecyclePolicy(JsonText::parse(text)));
    let policy = policy.and_then(|response| response.policy_text);
    live.spec.repository_policy = policy.as_deref().map(PolicyDocument::parse);
    Ok(Some(live))
}

fn sdk_filters(
    filters: &BTreeSet<ImageTagMutabilityExclusionFilter>,
) -> Result<Vec<sdk::ImageTagMutabilityExclusionFilter>> {
    let filter = |f: &ImageTagMutabilityExclusionFilter| {
        let filter = sdk::ImageTagMutabilityExclusionFilter::builder().filter_type(f.filter_type.as_str().into());
        Ok(filter.filter(&f.filter).build()?)
    };
    filters.iter().map(filter).collect()
}

fn sdk_scanning(scanning: &ImageScanningConfiguration) -> sdk::ImageScanningConfiguration {
    sdk::ImageScanningConfiguration::builder().scan_on_push(scanning.scan_on_push).build()
}

/// Returns a listed repository, without its policies.
fn live(repository: &sdk::Repository) -> Result<Live<Repository>> {
    let name = repository.repository_name().unwrap_or_default();
    let arn =
        repository.repository_arn().ok_or_else(|| Error::incomplete("ecr.DescribeRepositories", "repositoryArn"))?;
    let filters = repository.image_tag_mutability_exclusion_filters().iter().map(|f| {
        ImageTagMutabilityExclusionFilter { filter_type: f.filter_type.as_str().to_owned(), filter: f.filter.clone() }
    });
    let spec = Repository {
        image_tag_mutability: repository.image_tag_mutability.as_ref().map(|m| m.as_str().to_owned()),
        image_tag_mutability_exclusion_filters: Some(filters.collect()),
        image_scanning_configuration: repository
            .image_scanning_configuration()
            .map(|scanning| ImageScanningConfiguration { scan_on_push: scanning.scan_on_push }),
        encryption_configuration: repository.encryption_configuration().map(|e| EncryptionConfiguration {
            encryption_type: e.encryption_type.as_str().to_owned(),
            kms_key: e.kms_key.clone(),
        }),
        lifecycle_policy: None,
        repository_policy: None,
        empty_on_delete: false,
    };
    let status = RepositoryStatus { arn: arn.to_owned(), repository_uri: repository.repository_uri.clone() };
    Ok(Live::new(name, name, spec, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_lifecycle_rules_has_no_meaning() {
        let rule = |priority: i64, tags: [&str; 2], text: &str| {
            let selection = Value::from([("tagPrefixList", Value::List(tags.map(Value::from).to_vec()))]);
            let description = Value::from(text);
            Value::from([("rulePriority", priority.into()), ("selection", selection), ("description", description)])
        };
        let policy =
            |rules: [Value; 2]| lifecycle_policy(&Value::from([("rules", Value::List(rules.to_vec()))])).unwrap();
        let stated = policy([rule(2, ["v", "rel"], "b"), rule(1, ["a", "b"], "")]);
        assert_eq!(stated, policy([rule(1, ["b", "a"], ""), rule(2, ["rel", "v"], "b")]));
        assert_ne!(stated, policy([rule(2, ["v", "rel"], "b"), rule(3, ["a", "b"], "")]));
        assert!(lifecycle_policy(&Value::from("{}")).is_err());
    }

    #[test]
    fn a_response_without_an_arn_is_incomplete() {
        let repository = sdk::Repository::builder().repository_name("app");
        assert!(live(&repository.clone().build()).is_err());
        assert!(live(&repository.repository_arn("arn:app").build()).is_ok_and(|live| live.id == "app"));
    }
}
