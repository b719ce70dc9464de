//! Conversions between the SDKs' types and those of the kinds.

use aws_smithy_async::future::pagination_stream::PaginationStream;
use holdfast_core::types::Ref;

use crate::error::{Error, Result};

/// Returns all items of a paginated call, from all pages.
///
/// # Errors
/// The error of the first page that fails: an incomplete list would make resources look deleted.
pub async fn all<T, E: Into<Error>>(mut pages: PaginationStream<std::result::Result<T, E>>) -> Result<Vec<T>> {
    let mut items = vec![];
    while let Some(item) = pages.next().await {
        items.push(item.map_err(Into::into)?);
    }
    Ok(items)
}

/// Returns what references refer to, as calls take it.
pub fn texts<'a, K: 'a, A: 'a>(references: impl IntoIterator<Item = &'a Ref<K, A>>) -> Vec<String> {
    references.into_iter().map(|reference| reference.as_str().to_owned()).collect()
}

/// Declares, for the tag type of an SDK, `fn sdk_tags(&Tags) -> Result<Vec<Tag>>` and `fn from_sdk_tags(&[Tag]) -> Tags`.
///
/// `sdk_tags!(required aws_sdk_ecr::types::Tag)` where the key and the value are always present,
/// `sdk_tags!(optional aws_sdk_rds::types::Tag)` where they are `Option`s, and `sdk_tags!(key aws_sdk_ssm::types::Tag)`
/// where only the key is always present.
#[macro_export]
macro_rules! sdk_tags {
    (required $tag:ty) => {
        $crate::sdk_tags!(@build $tag, ?);
        $crate::sdk_tags!(@read $tag, |tag: &$tag| Some((tag.key.clone(), tag.value.clone())));
    };
    (optional $tag:ty) => {
        $crate::sdk_tags!(@build $tag,);
        $crate::sdk_tags!(@read $tag, |tag: &$tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default())));
    };
    (key $tag:ty) => {
        $crate::sdk_tags!(@build $tag, ?);
        $crate::sdk_tags!(@read $tag, |tag: &$tag| Some((tag.key.clone(), tag.value.clone().unwrap_or_default())));
    };
    (@build $tag:ty, $($fallible:tt)?) => {
        /// Returns tags in the SDK's type.
        pub(crate) fn sdk_tags(tags: &$crate::tagging::Tags) -> $crate::error::Result<Vec<$tag>> {
            tags.iter().map(|(key, value)| Ok(<$tag>::builder().key(key).value(value).build()$($fallible)?)).collect()
        }
    };
    (@read $tag:ty, $pair:expr) => {
        /// Returns the tags of a response.
        pub(crate) fn from_sdk_tags(tags: &[$tag]) -> $crate::tagging::Tags {
            tags.iter().filter_map($pair).collect()
        }
    };
}

/// Declares a type with the calls that set and remove tags:
/// `tag_calls!(EcrTags: ecr, tag_resource.resource_arn, untag_resource.resource_arn)`. The calls take `sdk_tags` of the
/// same module: see [`sdk_tags!`](crate::sdk_tags). Services whose calls have another form implement
/// [`TagCalls`](crate::owner::TagCalls) themselves.
#[macro_export]
macro_rules! tag_calls {
    ($name:ident: $client:ident, $set:ident.$set_id:ident, $remove:ident.$remove_id:ident) => {
        /// The calls that set and remove tags.
        pub(crate) struct $name;

        impl $crate::owner::TagCalls for $name {
            async fn set(
                aws: &$crate::client::Aws,
                resource: &str,
                tags: &$crate::tagging::Tags,
            ) -> $crate::error::Result<()> {
                $client(aws).$set().$set_id(resource).set_tags(Some(sdk_tags(tags)?)).send().await?;
                Ok(())
            }

            async fn remove(aws: &$crate::client::Aws, resource: &str, keys: Vec<String>) -> $crate::error::Result<()> {
                $client(aws).$remove().$remove_id(resource).set_tag_keys(Some(keys)).send().await?;
                Ok(())
            }
        }
    };
}
