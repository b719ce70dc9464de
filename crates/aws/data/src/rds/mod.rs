//! RDS: the client, and the calls for tags and lists that its kinds share.

pub(crate) mod db_instance;
mod db_instance_calls;
mod db_instance_copies;
mod db_instance_from_response;
pub(crate) mod db_parameter_group;
pub(crate) mod db_proxy;
mod db_proxy_targets;
pub(crate) mod db_subnet_group;
pub(crate) mod requested;

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_rds::types::{DbInstance, Tag};
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::TagChanges;
use holdfast_base::sdk::all;
use holdfast_base::tagging::Tags;
use holdfast_core::schema::{Type, Typed};
use holdfast_core::types::Ref;
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

holdfast_base::client!(rds: aws_sdk_rds);

/// A maintenance window such as `Sun:05:00-Sun:06:00`. AWS returns it in lower case, however it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct MaintenanceWindow(pub(crate) String);

impl Typed for MaintenanceWindow {
    const TYPE: Type = Type::Canonical { name: "window", canonical: lowercase };
}

fn lowercase(value: &Value) -> std::result::Result<Value, String> {
    match value.text() {
        Some(text) => Ok(text.to_lowercase().into()),
        None => Err("a maintenance window must be a string".into()),
    }
}

/// Lists all databases of the region, once in a refresh.
pub(crate) async fn instances(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<DbInstance>>> {
    let list = || async {
        let pages = rds(aws).describe_db_instances().into_paginator().items().send();
        Ok(all(pages).await?)
    };
    aws.once(scope, "rds.instances", list).await
}

/// Returns the tags of a response.
pub(crate) fn pairs(tags: &[Tag]) -> Tags {
    tags.iter().filter_map(|tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()))).collect()
}

/// Returns all tags in the form of a create call.
pub(crate) fn sdk_tags(tags: &Tags) -> Option<Vec<Tag>> {
    Some(tags.iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect())
}

/// Returns the tags of an RDS resource; none when the resource does not exist.
pub(crate) async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = rds(aws).list_tags_for_resource().resource_name(arn).send().await.or_absent()?;
    Ok(output.map(|output| pairs(output.tag_list())))
}

/// Sets and removes tags of an RDS resource.
pub(crate) async fn tag(aws: &Aws, arn: &str, TagChanges { set, remove }: &TagChanges) -> Result<()> {
    if !set.is_empty() {
        rds(aws).add_tags_to_resource().resource_name(arn).set_tags(sdk_tags(set)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        rds(aws).remove_tags_from_resource().resource_name(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}

/// Returns the identities of references, in the form of a call.
pub(crate) fn texts<K, A>(references: &BTreeSet<Ref<K, A>>) -> Vec<String> {
    references.iter().map(|reference| reference.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maintenance_window_is_compared_in_lower_case() {
        assert_eq!(lowercase(&"Sun:05:00-Sun:06:00".into()), Ok("sun:05:00-sun:06:00".into()));
        assert!(lowercase(&Value::Null).is_err());
    }
}
