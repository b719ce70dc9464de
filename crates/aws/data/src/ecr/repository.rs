//! Repository: where container images are kept.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::types::{self as sdk, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, asks_for, each};
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{JsonText, Policy};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::ecr;

/// The tag that remembers `emptyOnDelete` on the repository itself, so that a delete needs no document.
const EMPTY_ON_DELETE: &str = "holdfast:empty-on-delete";

/// A private repository of container images.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Repository {
    /// Whether a tag can be moved to another image: `MUTABLE` (AWS's default), `IMMUTABLE`, or either with
    /// exceptions: `MUTABLE_WITH_EXCLUSION`, `IMMUTABLE_WITH_EXCLUSION`.
    image_tag_mutability: Option<String>,
    /// The exceptions of a mutability `…_WITH_EXCLUSION`: at most five.
    image_tag_mutability_exclusion_filters: Option<BTreeSet<TagFilter>>,
    /// Scanning of this repository. Rules of the registry, where it has any, override it
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html>).
    image_scanning_configuration: Option<ImageScanning>,
    /// How images are encrypted at rest. AWS's default is `AES256`.
    #[spec(immutable)]
    encryption_configuration: Option<Encryption>,
    /// Which images expire, as YAML or JSON: `{ rules: [{ rulePriority, selection, action }] }`
    /// (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>).
    lifecycle_policy: Option<JsonText>,
    /// Who besides the account's own identities may push and pull.
    repository_policy: Option<Policy>,
    /// Whether a delete takes the images along. Without it AWS refuses to delete a repository that has images.
    /// Kept as the tag `holdfast:empty-on-delete` on the repository.
    #[serde(default)]
    empty_on_delete: bool,
}

/// Tags that a mutability does not hold for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TagFilter {
    /// How `filter` is read: `WILDCARD` is all there is.
    #[serde(default = "wildcard")]
    filter_type: String,
    /// A tag in which up to two `*` stand for anything.
    filter: String,
}

fn wildcard() -> String {
    "WILDCARD".into()
}

/// Scanning of images.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageScanning {
    /// Whether each image is scanned as it is pushed.
    #[serde(default)]
    scan_on_push: bool,
}

/// Encryption at rest.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Encryption {
    /// `AES256`, `KMS`, or `KMS_DSSE` for two layers.
    encryption_type: String,
    /// The key's ARN, where it is not ECR's own. AWS answers the ARN, whatever was given.
    kms_key: Option<String>,
}

/// What only AWS knows of a Repository.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepositoryStatus {
    /// Its ARN.
    arn: String,
    /// What images are pushed to and pulled from, without a tag:
    /// `<account>.dkr.ecr.<region>.amazonaws.com/<name>`.
    repository_uri: Option<String>,
}

impl Kind for Repository {
    type Status = RepositoryStatus;
    const TIER: Tier = Tier::Data;
    const NAMING: Naming = Naming { lowercase: true, ..Naming::limit(256) };
    const CLASS: CreateClass = CreateClass::Name;
    const DATA: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let repositories = ecr(aws).describe_repositories().into_paginator().items().send();
        each(repositories.collect::<std::result::Result<Vec<_>, _>>().await?, |repository| async move {
            let name = repository.repository_name().unwrap_or_default();
            if !scope.is_candidate(name) && !scope.ids.contains(name) && scope.lookups.is_empty() {
                return Ok(None);
            }
            let missing = || Error::incomplete("ecr.DescribeRepositories", "repositoryArn");
            let arn = repository.repository_arn().ok_or_else(missing)?;
            let Some(tags) = tagging::tags(aws, scope, arn, || tags_of(aws, arn)).await? else { return Ok(None) };
            let (lifecycle, policy) = futures::try_join!(
                async {
                    match asks_for::<Repository>(scope, &tags, "lifecyclePolicy") {
                        true => ecr(aws).get_lifecycle_policy().repository_name(name).send().await.or_absent(),
                        false => Ok(None),
                    }
                },
                async {
                    match asks_for::<Repository>(scope, &tags, "repositoryPolicy") {
                        true => ecr(aws).get_repository_policy().repository_name(name).send().await.or_absent(),
                        false => Ok(None),
                    }
                }
            )?;
            let lifecycle = lifecycle.and_then(|answer| answer.lifecycle_policy_text);
            Ok(Some(live(&repository, tags, lifecycle, policy.and_then(|answer| answer.policy_text))))
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
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
        let made = ecr(aws)
            .create_repository()
            .repository_name(&desired.name)
            .set_image_tag_mutability(image_tag_mutability.as_deref().map(Into::into))
            .set_image_tag_mutability_exclusion_filters(filters.as_ref().map(sdk_filters).transpose()?)
            .set_image_scanning_configuration(scanning.as_ref().map(sdk_scanning))
            .set_encryption_configuration(encryption.transpose()?)
            .set_tags(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        Ok(match made.repository {
            Some(repository) => live(&repository, tags, None, None).into(),
            None => Made::unseen(&desired.name),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
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
        if desired.changed("imageTagMutability") || desired.changed("imageTagMutabilityExclusionFilters") {
            let put = ecr.put_image_tag_mutability().repository_name(name);
            put.image_tag_mutability(image_tag_mutability.as_deref().unwrap_or("MUTABLE").into())
                .set_image_tag_mutability_exclusion_filters(filters.as_ref().map(sdk_filters).transpose()?)
                .send()
                .await?;
        }
        if desired.changed("imageScanningConfiguration") {
            let scanning = sdk_scanning(scanning.as_ref().unwrap_or(&ImageScanning { scan_on_push: false }));
            let put = ecr.put_image_scanning_configuration().repository_name(name);
            put.image_scanning_configuration(scanning).send().await?;
        }
        if desired.changed("repositoryPolicy") {
            match repository_policy {
                Some(policy) => {
                    ecr.set_repository_policy().repository_name(name).policy_text(policy.json()).send().await?;
                }
                None => {
                    ecr.delete_repository_policy().repository_name(name).send().await.or_absent()?;
                }
            }
        }
        if desired.changed("lifecyclePolicy") {
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
        if desired.changed("emptyOnDelete") {
            let mut tags = Retag::default();
            match empty_on_delete {
                true => drop(tags.set.insert(EMPTY_ON_DELETE.into(), "true".into())),
                false => drop(tags.remove.insert(EMPTY_ON_DELETE.into())),
            }
            Self::tag(aws, live, &tags).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let force = live.spec.empty_on_delete;
        ecr(aws).delete_repository().repository_name(&live.id).force(force).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
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
    let answer = ecr(aws).list_tags_for_resource().resource_arn(arn).send().await.or_absent()?;
    let pair = |tag: Tag| (tag.key, tag.value);
    Ok(answer.map(|answer| answer.tags.unwrap_or_default().into_iter().map(pair).collect()))
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>> {
    tags.iter().map(|(k, v)| Ok(Tag::builder().key(k).value(v).build()?)).collect()
}

fn sdk_filters(filters: &BTreeSet<TagFilter>) -> Result<Vec<sdk::ImageTagMutabilityExclusionFilter>> {
    let filter = |f: &TagFilter| {
        let filter = sdk::ImageTagMutabilityExclusionFilter::builder().filter_type(f.filter_type.as_str().into());
        Ok(filter.filter(&f.filter).build()?)
    };
    filters.iter().map(filter).collect()
}

fn sdk_scanning(scanning: &ImageScanning) -> sdk::ImageScanningConfiguration {
    sdk::ImageScanningConfiguration::builder().scan_on_push(scanning.scan_on_push).build()
}

fn live(
    repository: &sdk::Repository,
    mut tags: Tags,
    lifecycle: Option<String>,
    policy: Option<String>,
) -> Live<Repository> {
    let name = repository.repository_name().unwrap_or_default();
    let filters = repository
        .image_tag_mutability_exclusion_filters()
        .iter()
        .map(|f| TagFilter { filter_type: f.filter_type.as_str().to_owned(), filter: f.filter.clone() });
    let spec = Repository {
        image_tag_mutability: repository.image_tag_mutability.as_ref().map(|m| m.as_str().to_owned()),
        image_tag_mutability_exclusion_filters: Some(filters.collect()),
        image_scanning_configuration: repository
            .image_scanning_configuration()
            .map(|scanning| ImageScanning { scan_on_push: scanning.scan_on_push }),
        encryption_configuration: repository
            .encryption_configuration()
            .map(|e| Encryption { encryption_type: e.encryption_type.as_str().to_owned(), kms_key: e.kms_key.clone() }),
        lifecycle_policy: lifecycle.as_deref().map(JsonText::parse),
        repository_policy: policy.as_deref().map(Policy::parse),
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
    fn empty_on_delete_is_a_field_and_no_tag() {
        let repository = sdk::Repository::builder().repository_name("app").repository_arn("arn").build();
        let tags = BTreeMap::from([(EMPTY_ON_DELETE.into(), "true".into()), ("team".into(), "a".into())]);
        let live = live(&repository, tags, Some(r#"{"rules": []}"#.into()), None);
        assert!(live.spec.empty_on_delete);
        assert_eq!(live.tags, BTreeMap::from([("team".into(), "a".into())]));
        assert_eq!(live.spec.lifecycle_policy.map(|p| p.json()).as_deref(), Some(r#"{"rules":[]}"#));
    }
}
