//! AWS Certificate Manager (ACM).

pub(crate) mod certificate;
mod validation;

use aws_sdk_acm::types::Tag;
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::owner::TagCalls;
use holdfast_base::sdk_tags;
use holdfast_base::tagging::Tags;

holdfast_base::client!(acm: aws_sdk_acm);

sdk_tags!(key Tag);

/// The calls that set and remove tags of a certificate.
pub(crate) struct AcmTags;

impl TagCalls for AcmTags {
    async fn set(aws: &Aws, arn: &str, tags: &Tags) -> Result<()> {
        acm(aws).add_tags_to_certificate().certificate_arn(arn).set_tags(Some(sdk_tags(tags)?)).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, arn: &str, keys: Vec<String>) -> Result<()> {
        // ACM removes a tag that is given without a value, whatever the live value is.
        let tags = keys.into_iter().map(|key| Ok(Tag::builder().key(key).build()?)).collect::<Result<Vec<_>>>()?;
        acm(aws).remove_tags_from_certificate().certificate_arn(arn).set_tags(Some(tags)).send().await?;
        Ok(())
    }
}
