//! RDS: the client, the tag calls, and the list calls that its kinds share.

pub(crate) mod db_instance;
pub(crate) mod db_parameter_group;
pub(crate) mod db_proxy;
pub(crate) mod db_subnet_group;

use std::sync::Arc;

use aws_sdk_rds::types::DbInstance;
use holdfast_base::client::Aws;
use holdfast_base::error::{OrAbsent, Result};
use holdfast_base::kind::{Kind, Live};
use holdfast_base::sdk::all;
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Want, Wants};
use holdfast_core::schema::{HasArn, Type, Typed};
use holdfast_core::types::{Ref, ServerDefault};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

holdfast_base::client!(rds: aws_sdk_rds);
holdfast_base::sdk_tags!(optional aws_sdk_rds::types::Tag);
holdfast_base::tag_calls!(
    RdsTags: rds, add_tags_to_resource.resource_name, remove_tags_from_resource.resource_name
);

/// A maintenance window such as `Sun:05:00-Sun:06:00`. AWS returns it in lower case, however it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct MaintenanceWindow(String);

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
async fn instances(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<DbInstance>>> {
    let list = || async {
        let pages = rds(aws).describe_db_instances().into_paginator().items().send();
        all(pages).await
    };
    aws.once(scope, "rds.instances", list).await
}

/// Returns a listed resource with its tags, and how much of it the scope wants. Returns `None` for a resource that the
/// scope does not want, or that no longer exists.
async fn wanted<K: Kind<Status: HasArn>>(aws: &Aws, scope: &Scope, live: Live<K>) -> Result<Option<(Live<K>, Want)>> {
    let arn = live.status.arn();
    let listed = Listed::name(&live.name).or_id(arn).spec(&live.spec);
    if !scope.wants(&listed).any() {
        return Ok(None);
    }
    let ask = || async {
        let output = rds(aws).list_tags_for_resource().resource_name(arn).send().await.or_absent()?;
        Ok(output.map(|output| from_sdk_tags(output.tag_list())))
    };
    let Some(tags) = tagging::tags(aws, scope, arn, ask).await? else { return Ok(None) };
    let want = scope.wants(&listed.tags(&tags));
    Ok(want.any().then(|| (live.tags(tags), want)))
}

/// Returns the stated value of a field.
fn value<T: Clone>(field: &Option<ServerDefault<T>>) -> Option<T> {
    field.as_deref().cloned()
}

/// Returns the identity that a stated reference holds.
fn reference<K, A>(field: &Option<ServerDefault<Ref<K, A>>>) -> Option<String> {
    field.as_deref().map(|reference| reference.as_str().to_owned())
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
