//! The tags of a bucket. S3 replaces all tags in one call. One tag records `emptyOnDelete`.

use std::collections::BTreeMap;

use super::{pairs, s3, sdk_tags};
use aws_sdk_s3::types::Tagging;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::TagChanges;
use holdfast_base::tagging::Tags;

/// The key of the tag that records `emptyOnDelete`. The document may no longer contain the bucket when it is deleted.
const EMPTY_ON_DELETE: &str = "holdfast:empty-on-delete";

/// True when the bucket may be emptied before its deletion.
pub(super) fn empty_on_delete(tags: &Tags) -> bool {
    tags.get(EMPTY_ON_DELETE).is_some_and(|value| value == "true")
}

/// Returns the tags for a create call, with the one that records `emptyOnDelete`.
pub(super) fn with_empty_on_delete(tags: &Tags, empty_on_delete: bool) -> Tags {
    let mut tags = tags.clone();
    tags.extend(empty_on_delete_changes(empty_on_delete).set);
    tags
}

/// Returns the tag changes that record `emptyOnDelete`.
pub(super) fn empty_on_delete_changes(empty_on_delete: bool) -> TagChanges {
    let key = EMPTY_ON_DELETE.to_owned();
    match empty_on_delete {
        true => TagChanges { set: BTreeMap::from([(key, "true".into())]), ..TagChanges::default() },
        false => TagChanges { remove: [key].into(), ..TagChanges::default() },
    }
}

/// Returns all tags of a bucket.
pub(super) async fn read(aws: &Aws, bucket: &str) -> Result<Tags> {
    let output = s3(aws).get_bucket_tagging().bucket(bucket).send().await.or_absent()?;
    Ok(output.map(|output| pairs(output.tag_set())).unwrap_or_default())
}

/// Sets and removes some tags and keeps the others. The others are read first, since an update may just have changed
/// one.
pub(super) async fn change(aws: &Aws, bucket: &str, change_tags: &TagChanges) -> Result<()> {
    let TagChanges { set, remove } = change_tags;
    let mut tags = read(aws, bucket).await?;
    tags.retain(|key, _| !remove.contains(key));
    tags.extend(set.clone());
    if tags.is_empty() {
        s3(aws).delete_bucket_tagging().bucket(bucket).send().await?;
        return Ok(());
    }
    let tagging = Tagging::builder().set_tag_set(Some(sdk_tags(&tags)?)).build()?;
    s3(aws).put_bucket_tagging().bucket(bucket).tagging(tagging).send().await?;
    Ok(())
}
