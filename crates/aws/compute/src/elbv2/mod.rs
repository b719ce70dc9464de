//! Elastic Load Balancing: helpers for tags and attributes. AWS stores attributes as strings under dotted keys.

pub(crate) mod action;
pub(crate) mod listener;
pub(crate) mod listener_rule;
pub(crate) mod load_balancer;
pub(crate) mod rule_condition;
pub(crate) mod target_group;

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::Tag;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::TagChanges;
use holdfast_base::tagging::{self, Tags};
use holdfast_core::schema::{Spec, Type};
use holdfast_core::value::{self, Value};
use holdfast_engine::cloud::Scope;
use serde::Serialize;
use serde::de::DeserializeOwned;

holdfast_base::client!(elbv2: aws_sdk_elasticloadbalancingv2);

/// Converts tags for a create request.
pub(crate) fn sdk_tags(tags: &BTreeMap<String, String>) -> Option<Vec<Tag>> {
    Some(tags.iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect())
}

/// Returns the tags of these ARNs. DescribeTags accepts at most twenty ARNs in one call
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>).
pub(crate) async fn tags_of(aws: &Aws, scope: &Scope, arns: &[String]) -> Result<BTreeMap<String, Tags>> {
    let (mut all, unknown) = tagging::split(aws, scope, arns).await?;
    for twenty in unknown.chunks(20) {
        let output = elbv2(aws).describe_tags().set_resource_arns(Some(twenty.to_vec())).send().await?;
        for one in output.tag_descriptions.unwrap_or_default() {
            let pairs = one.tags.unwrap_or_default().into_iter();
            let tags = pairs.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default()))).collect();
            all.insert(one.resource_arn.unwrap_or_default(), tags);
        }
    }
    Ok(all)
}

/// Sets and removes tags of any Elastic Load Balancing resource.
pub(crate) async fn tag(aws: &Aws, id: &str, TagChanges { set, remove }: &TagChanges) -> Result<()> {
    if !set.is_empty() {
        elbv2(aws).add_tags().resource_arns(id).set_tags(sdk_tags(set)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        elbv2(aws).remove_tags().resource_arns(id).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}

/// Returns the name of a resource in metric dimensions: the part of its ARN after the last colon, such as
/// `targetgroup/web/0123`, without the prefix `loadbalancer/`.
pub(crate) fn full_name(arn: &str) -> String {
    arn.rsplit(':').next().unwrap_or_default().trim_start_matches("loadbalancer/").to_owned()
}

/// Returns the field of an attribute: `idle_timeout.timeout_seconds` is `idleTimeoutTimeoutSeconds`.
pub(crate) fn field_of(key: &str) -> String {
    let mut field = String::new();
    for (i, word) in key.split(['.', '_']).enumerate() {
        let (first, rest) = word.split_at(word.len().min(1));
        field.push_str(&if i == 0 { first.to_owned() } else { first.to_uppercase() });
        field.push_str(rest);
    }
    field
}

/// Reads a record of attributes from AWS's strings. An empty string means that the attribute is absent.
pub(crate) fn attributes<'a, T: Spec + DeserializeOwned>(
    pairs: impl IntoIterator<Item = (Option<&'a str>, Option<&'a str>)>,
) -> Result<T> {
    let mut json = serde_json::Map::new();
    for (key, text) in pairs {
        let (Some(key), Some(text)) = (key, text.filter(|t| !t.is_empty())) else { continue };
        let Some(field) = T::RECORD.field(&field_of(key)) else { continue };
        let value = match field.ty {
            Type::Bool => (text == "true").into(),
            Type::Integer => text.parse::<i64>().ok().into(),
            _ => text.into(),
        };
        json.insert(field.name.to_owned(), value);
    }
    serde_json::from_value(json.into()).map_err(|error| Error::incomplete(T::KIND, &error.to_string()))
}

/// Returns the attributes whose `desired` value differs from the `live` one: key and string. An empty string removes an
/// attribute that can be absent.
pub(crate) fn attribute_changes<T: Serialize>(
    keys: &[&'static str],
    live: Option<&T>,
    desired: Option<&T>,
) -> Vec<(&'static str, String)> {
    let (live, desired) = (value::of(&live), value::of(&desired));
    let text = |of: &Value, key: &str| of.get(&field_of(key)).filter(|v| **v != Value::Null).map(ToString::to_string);
    let pairs = keys.iter().map(|key| (*key, text(&live, key), text(&desired, key)));
    pairs
        .filter(|(_, live, desired)| live != desired)
        .map(|(key, _, desired)| (key, desired.unwrap_or_default()))
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Checks that every field of a record of attributes has a key, and every key has a field.
    pub(crate) fn check_keys<T: Spec>(keys: &[&str]) {
        let fields: BTreeSet<String> = T::RECORD.fields.iter().map(|f| f.name.to_owned()).collect();
        assert_eq!(fields, keys.iter().map(|key| field_of(key)).collect());
    }

    #[test]
    fn the_full_name_of_an_arn_is_the_name_in_metric_dimensions() {
        assert_eq!(full_name("arn:aws:elasticloadbalancing:r:1:loadbalancer/app/web/0a"), "app/web/0a");
        assert_eq!(full_name("arn:aws:elasticloadbalancing:r:1:targetgroup/web/0a"), "targetgroup/web/0a");
    }
}
