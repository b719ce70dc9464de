//! Repository: a private ECR repository of container images.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::types::{self as sdk, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, each, is_requested_field};
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{JsonText, PolicyDocument};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::ecr;

/// The tag that records `emptyOnDelete`. When the repository is deleted, the document no longer states the field.
const EMPTY_ON_DELETE: &str = "holdfast:empty-on-delete";

/// A private ECR repository of container images.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repository {
    /// Whether an image tag can be moved to another image: `MUTABLE` (AWS's default), `IMMUTABLE`, or either with
    /// exclusion filters: `MUTABLE_WITH_EXCLUSION`, `IMMUTABLE_WITH_EXCLUSION`.
    image_tag_mutability: Option<String>,
    /// The exclusion filters of a mutability `…_WITH_EXCLUSION`: at most five.
    image_tag_mutability_exclusion_filters: Option<BTreeSet<ImageTagMutabilityExclusionFilter>>,
    /// The image scanning of this repository. Scanning rules of the registry, if there are any, override it
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html>).
    image_scanning_configuration: Option<ImageScanningConfiguration>,
    /// The encryption of images at rest. AWS's default is `AES256`.
    #[spec(immutable)]
    encryption_configuration: Option<EncryptionConfiguration>,
    /// The lifecycle policy, which expires images, as YAML or JSON: `{ rules: [{ rulePriority, selection, action }] }`
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>).
    lifecycle_policy: Option<JsonText>,
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
pub(crate) struct ImageTagMutabilityExclusionFilter {
    /// The type of the filter. AWS supports only `WILDCARD`.
    #[serde(default = "wildcard")]
    filter_type: String,
    /// The pattern of image tags: up to two `*` match any characters.
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
    scan_on_push: bool,
}

/// The encryption of images at rest.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EncryptionConfiguration {
    /// `AES256`, `KMS`, or `KMS_DSSE` for two layers of encryption.
    encryption_type: String,
    /// The ARN of the KMS key, if it is not ECR's AWS managed key. AWS returns the ARN, whatever the request contains.
    kms_key: Option<String>,
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
    const TIER: Tier = Tier::Data;
    const NAMING: NamingRules = NamingRules { lowercase: true, ..NamingRules::limit(256) };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const STATEFUL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let repositories = ecr(aws).describe_repositories().into_paginator().items().send();
        each(all(repositories).await?, |repository| async move {
            let name = repository.repository_name().unwrap_or_default();
            if !scope.is_candidate(name) && !scope.ids.contains(name) && scope.lookups.is_empty() {
                return Ok(None);
            }
            let missing = || Error::incomplete("ecr.DescribeRepositories", "repositoryArn");
            let arn = repository.repository_arn().ok_or_else(missing)?;
            let Some(tags) = tagging::tags(aws, scope, arn, || tags_of(aws, arn)).await? else { return Ok(None) };
            let (lifecycle, policy) = futures::try_join!(
                async {
                    match is_requested_field(scope, &tags, Repository::LIFECYCLE_POLICY) {
                        true => ecr(aws).get_lifecycle_policy().repository_name(name).send().await.or_absent(),
                        false => Ok(None),
                    }
                },
                async {
                    match is_requested_field(scope, &tags, Repository::REPOSITORY_POLICY) {
                        true => ecr(aws).get_repository_policy().repository_name(name).send().await.or_absent(),
                        false => Ok(None),
                    }
                }
            )?;
            let lifecycle = lifecycle.and_then(|response| response.lifecycle_policy_text);
            Ok(Some(live(&repository, tags, lifecycle, policy.and_then(|response| response.policy_text))))
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
            empty_on_delete,
        } = &desired.spec;
        let mut tags = desired.tags.clone();
        if *empty_on_delete {
            tags.insert(EMPTY_ON_DELETE.into(), "true".into());
        }
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
            .set_tags(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        Ok(match created.repository {
            Some(repository) => live(&repository, tags, None, None).into(),
            None => Created::unobserved(&desired.name),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Repository {
            image_tag_mutability,
            image_tag_mutability_exclusion_filters: filters,
            image_scanning_configuration: scanning,
            encryption_configuration: _,
            lifecycle_policy,
            repository_policy,
            empty_on_delete,
        } = &desired.spec;
        let (ecr, name) = (ecr(aws), &live.id);
        if desired.changed(Repository::IMAGE_TAG_MUTABILITY)
            || desired.changed(Repository::IMAGE_TAG_MUTABILITY_EXCLUSION_FILTERS)
        {
            let put = ecr.put_image_tag_mutability().repository_name(name);
            put.image_tag_mutability(image_tag_mutability.as_deref().unwrap_or("MUTABLE").into())
                .set_image_tag_mutability_exclusion_filters(filters.as_ref().map(sdk_filters).transpose()?)
                .send()
                .await?;
        }
        if desired.changed(Repository::IMAGE_SCANNING_CONFIGURATION) {
            let scanning =
                sdk_scanning(scanning.as_ref().unwrap_or(&ImageScanningConfiguration { scan_on_push: false }));
            let put = ecr.put_image_scanning_configuration().repository_name(name);
            put.image_scanning_configuration(scanning).send().await?;
        }
        if desired.changed(Repository::REPOSITORY_POLICY) {
            match repository_policy {
                Some(policy) => {
                    ecr.set_repository_policy().repository_name(name).policy_text(policy.json()).send().await?;
                }
                None => {
                    ecr.delete_repository_policy().repository_name(name).send().await.or_absent()?;
                }
            }
        }
        if desired.changed(Repository::LIFECYCLE_POLICY) {
            match lifecycle_policy {
                Some(policy) => {
                    let put = ecr.put_lifecycle_policy().repository_name(name);
                    put.lifecycle_policy_text(policy.json()).send().await?;
                }
                None => {
                    ecr.delete_lifecycle_policy().repository_name(name).send().await.or_absent()?;
                }
            }
        }
        if desired.changed(Repository::EMPTY_ON_DELETE) {
            let mut tags = TagChanges::default();
            match empty_on_delete {
                true => drop(tags.set.insert(EMPTY_ON_DELETE.into(), "true".into())),
                false => drop(tags.remove.insert(EMPTY_ON_DELETE.into())),
            }
            Self::tag(aws, live, &tags).await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let force = live.spec.empty_on_delete;
        ecr(aws).delete_repository().repository_name(&live.id).force(force).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        let TagChanges { set, remove } = tags;
        let arn = &live.status.arn;
        if !set.is_empty() {
            ecr(aws).tag_resource().resource_arn(arn).set_tags(Some(sdk_tags(set)?)).send().await?;
        }
        if !remove.is_empty() {
            let keys = remove.iter().cloned().collect();
            ecr(aws).untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await?;
        }
        Ok(())
    }
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let response = ecr(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    let pair = |tag: Tag| (tag.key, tag.value);
    Ok(response.map(|response| response.tags.unwrap_or_default().into_iter().map(pair).collect()))
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    tags.iter().map(|(k, v)| Ok(Tag::builder().key(k).value(v).build()?)).collect()
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

fn live(
    repository: &sdk::Repository,
    mut tags: Tags,
    lifecycle: Option<String>,
    policy: Option<String>,
) -> Live<Repository> {
    let name = repository.repository_name().unwrap_or_default();
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
        lifecycle_policy: lifecycle.as_deref().map(JsonText::parse),
        repository_policy: policy.as_deref().map(PolicyDocument::parse),
        empty_on_delete: tags.remove(EMPTY_ON_DELETE).is_some_and(|value| value == "true"),
    };
    let status = RepositoryStatus {
        arn: repository.repository_arn.clone().unwrap_or_default(),
        repository_uri: repository.repository_uri.clone(),
    };
    Live::new(name, name, spec, status).tags(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_empty_on_delete_is_reported_as_a_field() {
        let repository = sdk::Repository::builder().repository_name("app").repository_arn("arn").build();
        let tags = BTreeMap::from([(EMPTY_ON_DELETE.into(), "true".into()), ("team".into(), "a".into())]);
        let live = live(&repository, tags, Some(r#"{"rules": []}"#.into()), None);
        assert!(live.spec.empty_on_delete);
        assert_eq!(live.tags, BTreeMap::from([("team".into(), "a".into())]));
        assert_eq!(live.spec.lifecycle_policy.map(|p| p.json()).as_deref(), Some(r#"{"rules":[]}"#));
    }
}
