//! EC2: the calls that its kinds share. A create call tags its resource; a `Name` tag names most resources.

pub(crate) mod elastic_ip;
pub(crate) mod flow_log;
pub(crate) mod instance;
mod instance_wire;
pub(crate) mod internet_gateway;
pub(crate) mod nat_gateway;
pub(crate) mod route;
pub(crate) mod route_table;
pub(crate) mod security_group;
pub(crate) mod security_group_rule;
pub(crate) mod subnet;
pub(crate) mod vpc;
pub(crate) mod vpc_endpoint;
pub(crate) mod vpc_peering;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, ResourceType, Tag, TagSpecification};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges};
use holdfast_core::canonical;
use holdfast_core::observed::tag;
use holdfast_core::types::Cidr;
use holdfast_engine::cloud::Scope;

holdfast_base::client!(ec2: aws_sdk_ec2);
// Public parameters of SSM name the newest images.
holdfast_base::client!(ssm: aws_sdk_ssm);

/// Returns the filters of the describe calls that together observe a scope: one call for owned resources, one for ids,
/// if any; a single call without filters for a lookup by fields. `id_filter` is the kind's filter name for its id
/// (`vpc-id`).
pub(crate) fn filter_sets(scope: &Scope, id_filter: &str) -> Vec<Option<Vec<Filter>>> {
    if !scope.lookups.is_empty() {
        return vec![None];
    }
    let mut sets = vec![];
    if !scope.owners.is_empty() {
        let stacks: BTreeSet<_> = scope.owners.iter().map(|(stack, _)| stack.clone()).collect();
        let envs: BTreeSet<_> = scope.owners.iter().map(|(_, env)| env.clone()).collect();
        sets.push(Some(vec![
            filter(&format!("tag:{}", tag::STACK), stacks),
            filter(&format!("tag:{}", tag::ENV), envs),
        ]));
    }
    if !scope.ids.is_empty() {
        sets.push(Some(vec![filter(id_filter, scope.ids.iter().cloned())]));
    }
    sets
}

/// Makes the describe calls of a scope, and returns everything that they find.
pub(crate) async fn describe_all<T, E, F>(
    scope: &Scope,
    id_filter: &str,
    describe: impl Fn(Option<Vec<Filter>>) -> F,
) -> Result<Vec<T>>
where
    E: Into<Error>,
    F: Future<Output = std::result::Result<Vec<T>, E>>,
{
    let mut found = vec![];
    for filters in filter_sets(scope, id_filter) {
        found.extend(describe(filters).await.map_err(Into::into)?);
    }
    Ok(found)
}

/// Returns one filter of a describe call.
pub(crate) fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

/// Returns all tags of a create call, including `Name`.
pub(crate) fn tag_specification(of: ResourceType, name: &str, tags: &BTreeMap<String, String>) -> TagSpecification {
    let mut all = tags.clone();
    all.entry("Name".into()).or_insert_with(|| name.to_owned());
    TagSpecification::builder().resource_type(of).set_tags(Some(sdk_tags(&all))).build()
}

fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect()
}

/// Returns the tags of a response.
pub(crate) fn tags_of(tags: Option<&[Tag]>) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| Some((tag.key.clone()?, tag.value.clone().unwrap_or_default()));
    tags.unwrap_or_default().iter().filter_map(pair).collect()
}

/// Returns the created resource from a create response, with the requested name and tags, which not every response has.
pub(crate) fn from_create_response<K: Kind>(live: Live<K>, desired: &Desired<K>) -> Created<K> {
    let Live { id, spec, status, phase, conditions, .. } = live;
    Live { spec, phase, conditions, ..desired.as_live(id, status) }.into()
}

/// Returns the physical name of a resource with these tags.
pub(crate) fn name_of(tags: &BTreeMap<String, String>) -> String {
    tags.get("Name").cloned().unwrap_or_default()
}

/// Converts an attribute for the modify calls.
pub(crate) fn boolean(value: bool) -> AttributeBooleanValue {
    AttributeBooleanValue::builder().value(value).build()
}

/// Returns a CIDR block in EC2's spelling, so that the document's spelling matches the live block.
pub(crate) fn canonical(cidr: &Cidr) -> Cidr {
    let canonical = canonical::cidr(&cidr.0.as_str().into());
    canonical.ok().and_then(|block| block.text().map(|text| Cidr(text.to_owned()))).unwrap_or_else(|| cidr.clone())
}

/// Sets and removes tags of an EC2 resource.
pub(crate) async fn tag(aws: &Aws, id: &str, TagChanges { set, remove }: &TagChanges) -> Result<()> {
    if !set.is_empty() {
        ec2(aws).create_tags().resources(id).set_tags(Some(sdk_tags(set))).send().await?;
    }
    if !remove.is_empty() {
        let tags = remove.iter().map(|key| Tag::builder().key(key).build()).collect();
        ec2(aws).delete_tags().resources(id).set_tags(Some(tags)).send().await?;
    }
    Ok(())
}
