//! The tags of a bucket, which S3 replaces as a whole, and what Holdfast remembers in one of them.

use std::collections::BTreeMap;

use super::{pairs, s3, sdk_tags};
use aws_sdk_s3::types::Tagging;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::Retag;
use holdfast_base::tagging::Tags;

/// The tag that remembers `emptyOnDelete`: when the bucket is to go, the document that said it may have gone already.
const EMPTY_ON_DELETE: &str = "holdfast:empty-on-delete";

/// True when the bucket may be emptied before its deletion.
pub(super) fn empty_on_delete(tags: &Tags) -> bool {
    tags.get(EMPTY_ON_DELETE).is_some_and(|value| value == "true")
}

/// The tags of a create: those, and what is remembered.
pub(super) fn remembering(tags: &Tags, empty_on_delete: bool) -> Tags {
    let mut tags = tags.clone();
    tags.extend(remember(empty_on_delete).set);
    tags
}

/// The tags to set and to remove to remember it.
pub(super) fn remember(empty_on_delete: bool) -> Retag {
    let key = EMPTY_ON_DELETE.to_owned();
    match empty_on_delete {
        true => Retag { set: BTreeMap::from([(key, "true".into())]), ..Retag::default() },
        false => Retag { remove: [key].into(), ..Retag::default() },
    }
}

/// All tags of a bucket.
pub(super) async fn read(aws: &Aws, bucket: &str) -> Result<Tags> {
    let answer = s3(aws).get_bucket_tagging().bucket(bucket).send().await.or_absent()?;
    Ok(answer.map(|answer| pairs(answer.tag_set())).unwrap_or_default())
}

/// Sets and removes some, and keeps the others: as they are now, since an update may just have changed one.
pub(super) async fn change(aws: &Aws, bucket: &str, retag: &Retag) -> Result<()> {
    let Retag { set, remove } = retag;
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
