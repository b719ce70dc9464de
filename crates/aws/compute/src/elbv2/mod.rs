//! Elastic Load Balancing: helpers for tags and attributes. AWS stores attributes as strings under dotted keys.

pub(crate) mod action;
pub(crate) mod listener;
pub(crate) mod listener_rule;
pub(crate) mod load_balancer;
pub(crate) mod target_group;

use std::collections::BTreeMap;

use aws_sdk_elasticloadbalancingv2::types::{Tag, TagDescription};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Kind, Live};
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Want, Wants};
use holdfast_core::schema::{Spec, Type};
use holdfast_core::value::{self, Value};
use holdfast_engine::cloud::Scope;
use serde::Serialize;
use serde::de::DeserializeOwned;

holdfast_base::client!(elbv2: aws_sdk_elasticloadbalancingv2);
holdfast_base::sdk_tags!(optional Tag);
holdfast_base::tag_calls!(Elbv2Tags: elbv2, add_tags.resource_arns, remove_tags.resource_arns);

/// Returns the tags of these ARNs. DescribeTags accepts at most twenty ARNs in one call
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html>).
pub(crate) async fn read_tags(aws: &Aws, scope: &Scope, arns: &[String]) -> Result<BTreeMap<String, Tags>> {
    let (mut all, unknown) = tagging::split(aws, scope, arns).await?;
    for twenty in unknown.chunks(20) {
        let output = elbv2(aws).describe_tags().set_resource_arns(Some(twenty.to_vec())).send().await?;
        let pair = |of: &TagDescription| Some((of.resource_arn.clone()?, from_sdk_tags(of.tags())));
        all.extend(output.tag_descriptions().iter().filter_map(pair));
    }
    Ok(all)
}

/// Returns the listed resources that the scope wants, with their tags, and how much of each it wants.
pub(crate) async fn wanted<K: Kind>(aws: &Aws, scope: &Scope, listed: Vec<Live<K>>) -> Result<Vec<(Live<K>, Want)>> {
    fn of<K: Kind>(live: &Live<K>) -> Listed<'_> {
        Listed::id(&live.id).named(&live.name).spec(&live.spec)
    }
    let listed: Vec<_> = listed.into_iter().filter(|live| scope.wants(&of(live)).any()).collect();
    let ids: Vec<String> = listed.iter().map(|live| live.id.clone()).collect();
    let mut tags = read_tags(aws, scope, &ids).await?;
    let tagged = listed.into_iter().map(|live| {
        let live = Live { tags: tags.remove(&live.id).unwrap_or_default(), ..live };
        let want = scope.wants(&of(&live).tags(&live.tags));
        (live, want)
    });
    Ok(tagged.filter(|(_, want)| want.any()).collect())
}

/// Sets the tags of resources that are named by their `Name` tags.
pub(crate) async fn add_tags<K: Kind>(aws: &Aws, scope: &Scope, found: &mut [Live<K>]) -> Result<()> {
    let ids: Vec<String> = found.iter().map(|live| live.id.clone()).collect();
    let mut tags = read_tags(aws, scope, &ids).await?;
    for live in found {
        live.tags = tags.remove(&live.id).unwrap_or_default();
        live.name = name_of(&live.tags);
    }
    Ok(())
}

/// Returns the physical name of a resource with these tags.
pub(crate) fn name_of(tags: &Tags) -> String {
    tags.get("Name").cloned().unwrap_or_default()
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
