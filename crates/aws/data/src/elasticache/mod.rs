//! ElastiCache: the client, and the tag calls that its kinds share.

pub(crate) mod cache_parameter_group;
pub(crate) mod cache_subnet_group;
pub(crate) mod replication_group;

use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::tagging::{self, Tags};
use holdfast_engine::cloud::{FailureClass, Scope};

holdfast_base::client!(elasticache: aws_sdk_elasticache);
holdfast_base::sdk_tags!(optional aws_sdk_elasticache::types::Tag);
holdfast_base::tag_calls!(
    ElastiCacheTags: elasticache,
    add_tags_to_resource.resource_name,
    remove_tags_from_resource.resource_name
);

/// Returns the tags of a resource; none when it does not exist.
async fn tags_of(aws: &Aws, scope: &Scope, arn: &str) -> Result<Option<Tags>> {
    tagging::tags(aws, scope, arn, || async {
        match elasticache(aws).list_tags_for_resource().resource_name(arn).send().await.or_absent() {
            Ok(output) => Ok(output.map(|output| from_sdk_tags(output.tag_list()))),
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
