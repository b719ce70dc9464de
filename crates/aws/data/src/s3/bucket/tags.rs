//! The tags of a bucket. S3 replaces all tags in one call.

use aws_sdk_s3::types::Tagging;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::{Live, TagChanges};
use holdfast_base::owner::OwnerRecord;
use holdfast_base::tagging::Tags;
use holdfast_core::schema::Ownership;

use super::spec::Bucket;
use crate::s3::{from_sdk_tags, s3, sdk_tags};

/// The create call sets the owner tags, and a call that replaces all tags changes them.
pub(crate) struct BucketTags;

impl OwnerRecord<Bucket> for BucketTags {
    const OWNERSHIP: Ownership = Ownership::TagOnCreate;

    /// Sets and removes some tags and keeps the others. The others are read first, since another process may just have
    /// changed one.
    async fn write(aws: &Aws, live: &Live<Bucket>, changes: &TagChanges) -> Result<()> {
        let tags = changes.applied_to(&read(aws, &live.id).await?);
        if tags.is_empty() {
            s3(aws).delete_bucket_tagging().bucket(&live.id).send().await?;
            return Ok(());
        }
        let tagging = Tagging::builder().set_tag_set(Some(sdk_tags(&tags)?)).build()?;
        s3(aws).put_bucket_tagging().bucket(&live.id).tagging(tagging).send().await?;
        Ok(())
    }
}

/// Returns all tags of a bucket.
pub(super) async fn read(aws: &Aws, bucket: &str) -> Result<Tags> {
    let output = s3(aws).get_bucket_tagging().bucket(bucket).send().await.or_absent()?;
    Ok(output.map(|output| from_sdk_tags(output.tag_set())).unwrap_or_default())
}
