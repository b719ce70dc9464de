//! ElastiCache: the client, and the tag calls that its kinds share.

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
use holdfast_base::kind::TagChanges;
use holdfast_base::tagging::{self, Tags};
use holdfast_engine::cloud::{FailureClass, Scope};

holdfast_base::client!(elasticache: aws_sdk_elasticache);

/// True when the scope may request a resource of this name.
fn is_requested(scope: &Scope, name: &str) -> bool {
    scope.is_candidate(name) || scope.ids.contains(name) || !scope.lookups.is_empty()
}

/// Returns the tags of a resource; none when it does not exist.
async fn tags_of(aws: &Aws, scope: &Scope, arn: &str) -> Result<Option<Tags>> {
    tagging::tags(aws, scope, arn, || async {
        match elasticache(aws).list_tags_for_resource().resource_name(arn).send().await.or_absent() {
            Ok(output) => Ok(output.map(|output| pairs(output.tag_list.unwrap_or_default()))),
            // ElastiCache does not return the tags of a replication group that is being created or modified
            // (InvalidReplicationGroupState,
            // <https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_ListTagsForResource.html>). The
            // Tagging API then returns them.
            Err(error) if error.0.class == FailureClass::NotYet => tagging::of(aws, arn).await?.ok_or(error).map(Some),
            Err(error) => Err(error),
        }
    })
    .await
}

fn pairs(tags: Vec<Tag>) -> Tags {
    tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect()
}

/// Returns tags in the form of a create call.
fn sdk_tags(tags: &Tags) -> Option<Vec<Tag>> {
    Some(tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect())
}

/// Sets and removes tags of an ElastiCache resource.
async fn tag(aws: &Aws, arn: &str, TagChanges { set, remove }: &TagChanges) -> Result<()> {
    if !set.is_empty() {
        elasticache(aws).add_tags_to_resource().resource_name(arn).set_tags(sdk_tags(set)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        elasticache(aws).remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}
