//! The deletion of all objects of a bucket.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};

use crate::s3::s3;

/// Deletes every version of every object, up to 1000 in a call. S3 refuses versions under Object Lock.
pub(super) async fn delete_all(aws: &Aws, bucket: &str) -> Result<()> {
    // Each list call starts from the beginning, since the objects of the previous page are deleted by then.
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
        let output = s3(aws).delete_objects().bucket(bucket).delete(delete).send().await?;
        if let Some(error) = output.errors().first() {
            let message = format!("{}: {}", error.key().unwrap_or_default(), error.message().unwrap_or_default());
            return Err(Error::refused("s3.DeleteObjects", error.code().unwrap_or_default(), message));
        }
    }
}
