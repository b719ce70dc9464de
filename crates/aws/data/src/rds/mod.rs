//! RDS: tags, which all its kinds have in common, and what they remember in them.

pub(crate) mod asked;
pub(crate) mod db_instance;
mod db_instance_calls;
mod db_instance_copies;
mod db_instance_told;
pub(crate) mod db_parameter_group;
pub(crate) mod db_proxy;
mod db_proxy_targets;
pub(crate) mod db_subnet_group;

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_rds::types::{DbInstance, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::Retag;
use holdfast_base::tagging::Tags;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::types::Ref;
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

holdfast_base::client!(rds: aws_sdk_rds);

/// A text that AWS answers in lower case, however it was sent: windows such as `Sun:05:00-Sun:06:00`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Lower(pub(crate) String);

impl Typed for Lower {
    const TYPE: Type = Type::Canonical { name: "window", canonical: lower };
}

fn lower(value: &Value) -> std::result::Result<Value, String> {
    match value.text() {
        Some(text) => Ok(text.to_lowercase().into()),
        None => Err("it is not a text".into()),
    }
}

/// All databases of the region, listed once in a sweep.
pub(crate) async fn instances(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<DbInstance>>> {
    let list = || async {
        let pages = rds(aws).describe_db_instances().into_paginator().items().send();
        Ok(pages.collect::<std::result::Result<Vec<_>, _>>().await?)
    };
    aws.once(scope, "rds.instances", list).await
}

/// The tags of an answer.
pub(crate) fn pairs(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}

/// All tags as a create call takes them.
pub(crate) fn sdk_tags(tags: &Tags) -> Option<Vec<Tag>> {
    Some(tags.iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect())
}

/// The tags of anything in RDS; none when it is not there any more.
pub(crate) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let answer = rds(aws).list_tags_for_resource().resource_name(arn).send().await.or_absent()?;
    Ok(answer.map(|answer| pairs(answer.tag_list())))
}

/// Sets and removes tags of anything in RDS.
pub(crate) async fn tag(aws: &Aws, arn: &str, Retag { set, remove }: &Retag) -> Result<()> {
    if !set.is_empty() {
        rds(aws).add_tags_to_resource().resource_name(arn).set_tags(sdk_tags(set)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        rds(aws).remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}

/// References as the texts that calls take.
pub(crate) fn texts<K, A>(references: &BTreeSet<Ref<K, A>>) -> Vec<String> {
    references.iter().map(|reference| reference.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_the_same_in_any_case() {
        assert_eq!(lower(&"Sun:05:00-Sun:06:00".into()), Ok("sun:05:00-sun:06:00".into()));
        assert!(lower(&Value::Null).is_err());
    }
}
