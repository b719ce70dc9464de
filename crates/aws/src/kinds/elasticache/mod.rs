//! ElastiCache: tags, which it does not tell while a replication group changes.

pub(crate) mod auth_token;
pub(crate) mod cache_parameter_group;
pub(crate) mod cache_subnet_group;
pub(crate) mod log_delivery;
pub(crate) mod replication_change;
pub(crate) mod replication_group;
pub(crate) mod version;

use aws_sdk_elasticache::types::Tag;
use holdfast_engine::cloud::{Class, Scope};

use crate::client::Aws;
use crate::error::{Error, OrAbsent, Result};
use crate::kind::Retag;
use crate::tagging::{self, Tags};

/// True when something of this name may be wanted.
fn is_wanted(scope: &Scope, name: &str) -> bool {
    scope.is_candidate(name) || scope.ids.contains(name) || !scope.lookups.is_empty()
}

/// The tags of an ARN; none when it is gone.
async fn tags_of(aws: &Aws, scope: &Scope, arn: &str) -> Result<Option<Tags>> {
    tagging::tags(aws, scope, arn, || async {
        match aws.elasticache.list_tags_for_resource().resource_name(arn).send().await.or_absent() {
            Ok(answer) => Ok(answer.map(|answer| pairs(answer.tag_list.unwrap_or_default()))),
            // A replication group that is being made or changed does not tell its tags (InvalidReplicationGroupState,
            // <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ListTagsForResource.html>).
            Err(error) if error.0.class == Class::NotYet => index(aws, arn, error).await.map(Some),
            Err(error) => Err(error),
        }
    })
    .await
}

/// The tags as the Tagging API has them. What it does not have may have tags all the same: then nothing is known.
async fn index(aws: &Aws, arn: &str, refused: Error) -> Result<Tags> {
    let answer = aws.tagging.get_resources().resource_arn_list(arn).send().await?;
    let found = answer.resource_tag_mapping_list.unwrap_or_default().pop().ok_or(refused)?;
    Ok(found.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect())
}

fn pairs(tags: Vec<Tag>) -> Tags {
    tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

/// Tags as a create call takes them.
fn sdk_tags(tags: &Tags) -> Option<Vec<Tag>> {
    Some(tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect())
}

/// Sets and removes tags of anything in ElastiCache.
async fn tag(aws: &Aws, arn: &str, Retag { set, remove }: &Retag) -> Result<()> {
    if !set.is_empty() {
        aws.elasticache.add_tags_to_resource().resource_name(arn).set_tags(sdk_tags(set)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        aws.elasticache.remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}
