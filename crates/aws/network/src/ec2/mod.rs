//! EC2: what its kinds share. All of them are named by a `Name` tag and tagged in their create call.

pub(crate) mod elastic_ip;
pub(crate) mod flow_log;
pub(crate) mod group_rule;
pub(crate) mod instance;
mod instance_wire;
pub(crate) mod internet_gateway;
pub(crate) mod nat_gateway;
pub(crate) mod route;
pub(crate) mod route_table;
pub(crate) mod security_group;
pub(crate) mod subnet;
pub(crate) mod vpc;
pub(crate) mod vpc_endpoint;
pub(crate) mod vpc_peering;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, ResourceType, Tag, TagSpecification};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_core::canonical;
use holdfast_core::observed::tag;
use holdfast_core::types::Cidr;
use holdfast_engine::cloud::Scope;

holdfast_base::client!(ec2: aws_sdk_ec2);
// It has the newest images.
holdfast_base::client!(ssm: aws_sdk_ssm);

/// The filters of the calls that together see what a scope wants: one call for what is owned, one for
/// ids, if any; a single one without filters when something is looked up by its fields. `id_filter` is
/// the kind's filter name for its id (`vpc-id`).
pub(crate) fn asks(scope: &Scope, id_filter: &str) -> Vec<Option<Vec<Filter>>> {
    if !scope.lookups.is_empty() {
        return vec![None];
    }
    let mut asks = vec![];
    if !scope.owners.is_empty() {
        let stacks: BTreeSet<_> = scope.owners.iter().map(|(stack, _)| stack.clone()).collect();
        let envs: BTreeSet<_> = scope.owners.iter().map(|(_, env)| env.clone()).collect();
        asks.push(Some(vec![
            filter(&format!("tag:{}", tag::STACK), stacks),
            filter(&format!("tag:{}", tag::ENV), envs),
        ]));
    }
    if !scope.ids.is_empty() {
        asks.push(Some(vec![filter(id_filter, scope.ids.iter().cloned())]));
    }
    asks
}

/// What all of those calls find together.
pub(crate) async fn all<T, E, F>(
    scope: &Scope,
    id_filter: &str,
    ask: impl Fn(Option<Vec<Filter>>) -> F,
) -> Result<Vec<T>>
where
    E: Into<Error>,
    F: Future<Output = std::result::Result<Vec<T>, E>>,
{
    let mut found = vec![];
    for filters in asks(scope, id_filter) {
        found.extend(ask(filters).await.map_err(Into::into)?);
    }
    Ok(found)
}

/// One filter of a describe call.
pub(crate) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

/// All tags as a create call takes them, the `Name` included.
pub(crate) fn tag_specification(of: ResourceType, name: &str, tags: &BTreeMap<String, String>) -> TagSpecification {
    let mut all = tags.clone();
    all.entry("Name".into()).or_insert_with(|| name.to_owned());
    TagSpecification::builder().resource_type(of).set_tags(Some(sdk_tags(&all))).build()
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect()
}

/// The tags of an answer.
pub(crate) fn tags_of(tags: Option<&[Tag]>) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.unwrap_or_default().iter().filter_map(pair).collect()
}

/// What a create tells: what its answer shows, with the name and the tags that the call took, which not every answer has.
pub(crate) fn told<K: Kind>(live: Live<K>, desired: &Desired<K>) -> Made<K> {
    let Live { id, spec, status, phase, remarks, .. } = live;
    Live { spec, phase, remarks, ..desired.made(id, status) }.into()
}

/// The physical name of what has these tags.
pub(crate) fn name_of(tags: &BTreeMap<String, String>) -> String {
    tags.get("Name").cloned().unwrap_or_default()
}

/// An attribute as the modify calls take it.
pub(crate) fn boolean(value: bool) -> AttributeBooleanValue {
    AttributeBooleanValue::builder().value(value).build()
}

/// A block as EC2 answers it, so that the document's spelling of it is found among the live ones.
pub(crate) fn canonical(cidr: &Cidr) -> Cidr {
    let spelt = canonical::cidr(&cidr.0.as_str().into());
    spelt.ok().and_then(|block| block.text().map(|text| Cidr(text.to_owned()))).unwrap_or_else(|| cidr.clone())
}

/// Sets and removes tags of anything in EC2.
pub(crate) async fn tag(aws: &Aws, id: &str, Retag { set, remove }: &Retag) -> Result<()> {
    if !set.is_empty() {
        ec2(aws).create_tags().resources(id).set_tags(Some(sdk_tags(set))).send().await?;
    }
    if !remove.is_empty() {
        let tags = remove.iter().map(|key| Tag::builder().key(key).build()).collect();
        ec2(aws).delete_tags().resources(id).set_tags(Some(tags)).send().await?;
    }
    Ok(())
}
