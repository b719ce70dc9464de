//! ElastiCache: tags, which it does not tell while a replication group changes.

pub(crate) mod auth_token;
pub(crate) mod cache_parameter_group;
pub(crate) mod cache_subnet_group;
pub(crate) mod log_delivery;
pub(crate) mod replication_change;
pub(crate) mod replication_group;
pub(crate) mod version;

use aws_sdk_elasticache::types::Tag;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::Retag;
use holdfast_base::tagging::{self, Tags};
use holdfast_engine::cloud::{Class, Scope};

holdfast_base::client!(elasticache: aws_sdk_elasticache);

/// True when something of this name may be wanted.
fn is_wanted(scope: &Scope, name: &str) -> bool {
    scope.is_candidate(name) || scope.ids.contains(name) || !scope.lookups.is_empty()
}

/// The tags of an ARN; none when it is gone.
async fn tags_of(aws: &Aws, scope: &Scope, arn: &str) -> Result<Option<Tags>> {
    tagging::tags(aws, scope, arn, || async {
        match elasticache(aws).list_tags_for_resource().resource_name(arn).send().await.or_absent() {
            Ok(answer) => Ok(answer.map(|answer| pairs(answer.tag_list.unwrap_or_default()))),
            // A replication group that is being made or changed does not tell its tags (InvalidReplicationGroupState,
            // <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ListTagsForResource.html>).
            Err(error) if error.0.class == Class::NotYet => tagging::of(aws, arn).await?.ok_or(error).map(Some),
            Err(error) => Err(error),
        }
    })
    .await
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
        elasticache(aws).add_tags_to_resource().resource_name(arn).set_tags(sdk_tags(set)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        elasticache(aws).remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}
