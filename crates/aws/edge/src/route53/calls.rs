//! The calls of Route 53 that several kinds share.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_route53::operation::change_resource_record_sets::ChangeResourceRecordSetsError as ChangeError;
use aws_sdk_route53::operation::get_hosted_zone::GetHostedZoneOutput;
use aws_sdk_route53::types::{self as sdk, ResourceRecordSet, TagResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Kind, TagChanges};
use holdfast_base::names::HostedZone;
use holdfast_base::owner_marker;
use holdfast_base::sdk::all;
use holdfast_base::sdk_tags;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::try_join_all::try_join_all;
use holdfast_base::wanted::each;
use holdfast_core::observed::tag;
use holdfast_core::schema::Named as _;
use holdfast_engine::cloud::Scope;

use super::name::plain;
use super::route53;

sdk_tags!(optional sdk::Tag);

/// Returns a hosted zone with its name servers and VPCs, or none when it does not exist. A refresh reads each zone
/// once.
pub(crate) async fn zone(aws: &Aws, scope: &Scope, id: &str) -> Result<Arc<Option<GetHostedZoneOutput>>> {
    let home = aws.at_home()?;
    let request = || async { route53(&home).get_hosted_zone().id(id).send().await.or_absent() };
    home.once(scope, &format!("route53.zone.{id}"), request).await
}

/// Returns the owned hosted zones of the tag index if the scope requests only resources in these zones.
async fn owned_zones(aws: &Aws, scope: &Scope) -> Result<Option<Vec<sdk::HostedZone>>> {
    let parents = || scope.parents.iter().filter(|(kind, _)| *kind == HostedZone::KIND).map(|(_, parent)| parent);
    if !scope.from_index || parents().count() == 0 {
        return Ok(None);
    }
    let index = tagging::index(&*tagging::of_no_region(aws)?, scope).await?;
    let ids = index.keys().filter_map(|arn| Some(arn.split_once(":hostedzone/")?.1));
    let owned = each(ids, |id| async move {
        Ok(zone(aws, scope, id).await?.as_ref().as_ref().and_then(|output| output.hosted_zone.clone()))
    });
    let owned = owned.await?;
    let matches = |zone: &sdk::HostedZone, parent: &str| plain(&zone.name) == parent || bare(&zone.id) == parent;
    Ok(parents().all(|parent| owned.iter().any(|zone| matches(zone, parent))).then_some(owned))
}

/// Returns the hosted zones of the account, or only the owned zones where those suffice. A refresh lists them once for
/// all regions.
pub(crate) async fn zones(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<sdk::HostedZone>>> {
    if let Some(owned) = owned_zones(aws, scope).await? {
        return Ok(Arc::new(owned));
    }
    let home = aws.at_home()?;
    let list = || async { all(route53(&home).list_hosted_zones().into_paginator().items().send()).await };
    home.once(scope, "route53.zones", list).await
}

/// True when the document refers to this zone.
pub(crate) fn is_parent(scope: &Scope, zone: &sdk::HostedZone) -> bool {
    scope.is_parent(HostedZone::KIND, &plain(&zone.name)) || scope.is_parent(HostedZone::KIND, &bare(&zone.id))
}

/// Returns the owner that the caller reference of a zone names. It has no tags for a zone that Holdfast did not create.
pub(crate) fn zone_owner(zone: &sdk::HostedZone) -> Tags {
    owner_marker::read::<HostedZone>(&zone.caller_reference).unwrap_or_default()
}

/// Returns all record sets of a zone; no record sets when the zone does not exist. A refresh lists each zone once.
pub(crate) async fn records(aws: &Aws, scope: &Scope, zone: &str) -> Result<Arc<Vec<ResourceRecordSet>>> {
    let home = aws.at_home()?;
    home.once(scope, &format!("route53.records.{zone}"), || list_records(&home, zone)).await
}

/// Lists all current record sets of a zone.
pub(crate) async fn list_records(aws: &Aws, zone: &str) -> Result<Vec<ResourceRecordSet>> {
    let mut found = vec![];
    let mut next = route53(aws).list_resource_record_sets().hosted_zone_id(zone);
    while let Some(page) = next.send().await.or_absent()? {
        found.extend(page.resource_record_sets);
        if !page.is_truncated {
            break;
        }
        next = route53(aws)
            .list_resource_record_sets()
            .hosted_zone_id(zone)
            .set_start_record_name(page.next_record_name)
            .set_start_record_type(page.next_record_type)
            .set_start_record_identifier(page.next_record_identifier);
    }
    Ok(found)
}

/// Changes a zone's record sets atomically: all of them or none.
pub(crate) async fn change(aws: &Aws, zone: &str, changes: Vec<sdk::Change>) -> Result<()> {
    let batch = sdk::ChangeBatch::builder().set_changes(Some(changes)).build()?;
    let sent = route53(aws).change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await;
    let Err(error) = sent else { return Ok(()) };
    // The reasons are separate from the error's own message, one for each refused change
    // (https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html).
    let messages = match error.as_service_error() {
        Some(ChangeError::InvalidChangeBatch(refused)) => refused.messages().join("; "),
        _ => String::new(),
    };
    match messages.is_empty() {
        true => Err(error.into()),
        false => Err(Error::refused("route53.ChangeResourceRecordSets", "InvalidChangeBatch", messages)),
    }
}

/// Returns one change of a record set.
pub(crate) fn record_change(action: sdk::ChangeAction, record: ResourceRecordSet) -> Result<sdk::Change> {
    Ok(sdk::Change::builder().action(action).resource_record_set(record).build()?)
}

/// Returns the id of a zone as calls and tags expect it. Lists return `/hostedzone/Z…`.
pub(crate) fn bare(id: &str) -> String {
    id.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Returns the partition of the client, as it appears in ARNs.
pub(crate) fn partition(aws: &Aws) -> &'static str {
    let region = aws.region();
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("us") if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Reads the tags of hosted zones or health checks, of ten with one call
/// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListTagsForResources.html>).
pub(crate) async fn tags(aws: &Aws, kind: &TagResourceType, ids: &[String]) -> Result<BTreeMap<String, Tags>> {
    let sets = try_join_all(ids.chunks(10).map(|ids| tag_sets(aws, kind, ids))).await?;
    let row = |set: sdk::ResourceTagSet| Some((set.resource_id.clone()?, from_sdk_tags(set.tags())));
    Ok(sets.into_iter().flatten().filter_map(row).collect())
}

async fn tag_sets(aws: &Aws, kind: &TagResourceType, ids: &[String]) -> Result<Vec<sdk::ResourceTagSet>> {
    let all = route53(aws).list_tags_for_resources().resource_type(kind.clone());
    if let Some(all) = all.set_resource_ids(Some(ids.to_vec())).send().await.or_absent()? {
        return Ok(all.resource_tag_sets);
    }
    // One of the resources does not exist, and the error does not say which.
    let mut found = vec![];
    for id in ids {
        let one = route53(aws).list_tags_for_resource().resource_type(kind.clone()).resource_id(id);
        found.extend(one.send().await.or_absent()?.and_then(|output| output.resource_tag_set));
    }
    Ok(found)
}

/// Sets and removes tags. A hosted zone or health check has at most ten tags, including Holdfast's own six or seven
/// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html>).
pub(crate) async fn change_tags(aws: &Aws, kind: TagResourceType, id: &str, tags: &TagChanges) -> Result<()> {
    let TagChanges { set, remove } = tags;
    route53(aws)
        .change_tags_for_resource()
        .resource_type(kind)
        .resource_id(id)
        .set_add_tags(Some(sdk_tags(set)?).filter(|set| !set.is_empty()))
        .set_remove_tag_keys(Some(remove.iter().cloned().collect::<Vec<_>>()).filter(|keys| !keys.is_empty()))
        .send()
        .await?;
    Ok(())
}

/// Returns the tags of a resource. If they contain no owner, the owner that the caller reference names is added.
pub(crate) fn owned<K: Kind>(mut tags: Tags, reference: &str) -> Tags {
    if !tags.contains_key(tag::STACK) {
        tags.extend(owner_marker::read::<K>(reference).unwrap_or_default());
    }
    tags
}
