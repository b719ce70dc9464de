//! The objects of a bucket that is to be deleted.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};

use super::s3;

/// Deletes every version of every object, a thousand to a call. What an object lock holds is refused.
pub(super) async fn delete_all(aws: &Aws, bucket: &str) -> Result<()> {
    // From the beginning each time: what a page listed is gone when the next one is asked for.
    loop {
        let page = s3(aws).list_object_versions().bucket(bucket).max_keys(1000).send().await?;
        let version = |key: Option<&str>, id: Option<&str>| {
            let object = ObjectIdentifier::builder().key(key.unwrap_or_default());
            Ok(object.set_version_id(id.map(str::to_owned)).build()?)
        };
        let versions = page.versions().iter().map(|v| version(v.key(), v.version_id()));
        let markers = page.delete_markers().iter().map(|m| version(m.key(), m.version_id()));
        let all: Vec<ObjectIdentifier> = versions.chain(markers).collect::<Result<_>>()?;
        if all.is_empty() {
            return Ok(());
        }
        let delete = Delete::builder().set_objects(Some(all)).quiet(true).build()?;
        let answer = s3(aws).delete_objects().bucket(bucket).delete(delete).send().await?;
        if let Some(error) = answer.errors().first() {
            let message = format!("{}: {}", error.key().unwrap_or_default(), error.message().unwrap_or_default());
            return Err(Error::refused("s3.DeleteObjects", error.code().unwrap_or_default(), message));
        }
    }
}
