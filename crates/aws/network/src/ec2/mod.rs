//! EC2: the calls that its kinds share. A create call tags its resource; a `Name` tag names most resources.

pub(crate) mod elastic_ip;
pub(crate) mod flow_log;
pub(crate) mod instance;
pub(crate) mod internet_gateway;
mod lists;
pub(crate) mod nat_gateway;
pub(crate) mod route_table;
pub(crate) mod security_group;
pub(crate) mod subnet;
pub(crate) mod vpc;
pub(crate) mod vpc_endpoint;
pub(crate) mod vpc_peering;

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, ResourceType, Tag, TagSpecification, UnsuccessfulItem};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live};
use holdfast_base::owner::TagCalls;
use holdfast_base::tagging::Tags;
use holdfast_base::wanted::{Listed, Want, Wants};
use holdfast_core::canonical;
use holdfast_core::observed::tag;
use holdfast_core::types::Cidr;
use holdfast_engine::cloud::Scope;

holdfast_base::client!(ec2: aws_sdk_ec2);
// Public parameters of SSM name the newest images.
holdfast_base::client!(ssm: aws_sdk_ssm);
holdfast_base::sdk_tags!(optional Tag);

/// The calls that set and remove tags of EC2 resources.
pub(crate) struct Ec2Tags;

impl TagCalls for Ec2Tags {
    async fn set(aws: &Aws, resource: &str, tags: &Tags) -> Result<()> {
        ec2(aws).create_tags().resources(resource).set_tags(Some(sdk_tags(tags)?)).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, resource: &str, keys: Vec<String>) -> Result<()> {
        let tags = keys.into_iter().map(|key| Tag::builder().key(key).build()).collect();
        ec2(aws).delete_tags().resources(resource).set_tags(Some(tags)).send().await?;
        Ok(())
    }
}

/// Returns the filters of the describe calls that together observe a scope: one call for owned resources, one for ids,
/// if any; a single call without filters for a lookup by fields. `id_filter` is the kind's filter name for its id
/// (`vpc-id`).
fn filter_sets(scope: &Scope, id_filter: &str) -> Vec<Option<Vec<Filter>>> {
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
async fn describe_all<T, F: Future<Output = Result<Vec<T>>>>(
    scope: &Scope,
    id_filter: &str,
    describe: impl Fn(Option<Vec<Filter>>) -> F,
) -> Result<Vec<T>> {
    let mut found = vec![];
    for filters in filter_sets(scope, id_filter) {
        found.extend(describe(filters).await?);
    }
    Ok(found)
}

/// Returns how much of a resource the scope wants, from its describe response.
fn want<K: Kind>(scope: &Scope, live: &Live<K>) -> Want {
    scope.wants(&Listed::id(&live.id).named(&live.name).tags(&live.tags).spec(&live.spec))
}

/// Returns one filter of a describe call.
fn filter(name: &str, values: impl IntoIterator<Item = String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().collect())).build()
}

/// Returns the tags of a create call: [`Desired::all_tags`].
fn tag_specification(of: ResourceType, tags: &Tags) -> Result<TagSpecification> {
    Ok(TagSpecification::builder().resource_type(of).set_tags(Some(sdk_tags(tags)?)).build())
}

/// Returns a live resource whose name is its `Name` tag.
fn tagged<K: Kind>(id: impl Into<String>, tags: Tags, spec: K, status: K::Status) -> Live<K> {
    let name = tags.get("Name").cloned().unwrap_or_default();
    Live::new(id, name, spec, status).tags(tags)
}

/// Returns the created resource from a create response, with the requested name and tags, which not every response has.
fn from_create_response<K: Kind>(live: Live<K>, desired: &Desired<K>) -> Created<K> {
    let Live { id, spec, status, phase, conditions, .. } = live;
    Live { spec, phase, conditions, ..desired.as_live(id, status) }.into()
}

/// Returns the first unsuccessful item as an error: some calls succeed even if they change nothing.
fn check_unsuccessful(call: &str, unsuccessful: &[UnsuccessfulItem]) -> Result<()> {
    match unsuccessful.iter().find_map(|item| item.error.as_ref()) {
        None => Ok(()),
        Some(error) => Err(Error::refused(call, error.code().unwrap_or_default(), error.message().unwrap_or_default())),
    }
}

/// Converts an attribute for the modify calls.
fn boolean(value: bool) -> AttributeBooleanValue {
    AttributeBooleanValue::builder().value(value).build()
}

/// Returns a CIDR block in EC2's spelling, so that the document's spelling matches the live block.
fn canonical(cidr: &Cidr) -> Cidr {
    let canonical = canonical::cidr(&cidr.0.as_str().into());
    canonical.ok().and_then(|block| block.text().map(|text| Cidr(text.to_owned()))).unwrap_or_else(|| cidr.clone())
}
