//! RecordSet: the records of one domain name and type in a hosted zone.

use std::collections::BTreeSet;

use aws_sdk_route53::types::{ChangeAction, ResourceRecordSet};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::owner_marker;
use holdfast_base::tagging::Tags;
use holdfast_base::try_join_all::try_join_all;
use holdfast_core::Spec;
use holdfast_core::observed::tag;
use holdfast_core::schema::{Idempotency, Named as _, NamingRules, Ownership, Replacement, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::health_check::HealthCheck;
use super::hosted_zone::HostedZone;
use super::name::{DnsName, RecordValue, plain};
use super::record_wire::{RecordIdentity, desired_record, owner_record, read_owner, spec};
use super::{bare, change, record_change, records, zones};

/// A Route 53 record set: the records of one domain name and type in a hosted zone.
///
/// A record set has no tags, and its zone accepts only ten tags
/// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html>), too few to record the
/// owners of its record sets. Holdfast therefore stores the owner in a TXT record below the record set:
/// `_holdfast-a.www.example.com` for the A record of `www.example.com`. One change writes or deletes both records.
///
/// Several owners can share a zone safely. A live record set without such a TXT record belongs to another owner: the
/// plan holds it, and Holdfast never overwrites it. Adopt it with `lifecycle: { adopt: <zone id>_www.example.com_A }`.
///
/// Refer to a zone outside the document by its id, `zone: { id: Z0123456789ABCDEFGHIJ }`, or look it up as a
/// `HostedZone` with `lifecycle: { manage: observe }`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordSet {
    /// The hosted zone.
    #[spec(immutable)]
    pub(super) zone: Ref<HostedZone>,
    /// The full domain name, as in `www.example.com`, or `*.example.com` for all names that have no records of their
    /// own. AWS calls this field `Name`; in a document, `name` beside the spec is the physical name, which a record set
    /// does not use. A change of `recordName`, `type` or `setIdentifier` replaces the record set in one atomic change.
    pub(super) record_name: DnsName,
    /// The record type: `A`, `AAAA`, `CAA`, `CNAME`, `DS`, `HTTPS`, `MX`, `NAPTR`, `NS`, `PTR`, `SPF`, `SRV`, `SSHFP`,
    /// `SVCB`, `TLSA` or `TXT`.
    pub(super) r#type: String,
    /// The TTL in seconds: how long resolvers may cache the record. Holdfast's default is 300. An alias record has the
    /// TTL of its target.
    pub(super) ttl: Option<i64>,
    /// The values. The text of a TXT record may be written without quotation marks.
    pub(super) records: Option<BTreeSet<RecordValue>>,
    /// The AWS resource that an alias record refers to, instead of `ttl` and `records`.
    pub(super) alias_target: Option<AliasTarget>,
    /// The set identifier, which distinguishes record sets of the same name and type under a routing policy.
    pub(super) set_identifier: Option<String>,
    /// For weighted routing: the weight relative to the other record sets, 0 to 255.
    pub(super) weight: Option<i64>,
    /// For latency-based routing: the region from which latency is measured, as in `us-east-1`. AWS calls this field
    /// `Region`; in a document, `region` beside the spec is the region of a resource.
    pub(super) latency_region: Option<String>,
    /// For failover routing: `PRIMARY` or `SECONDARY`.
    pub(super) failover: Option<String>,
    /// For geolocation routing: the location of the clients that receive this record set.
    pub(super) geo_location: Option<GeoLocation>,
    /// For IP-based routing: the addresses of the clients that receive this record set.
    pub(super) cidr_routing_config: Option<CidrRoutingConfig>,
    /// For multivalue answer routing: whether the record set is one of up to eight that Route 53 returns together.
    pub(super) multi_value_answer: Option<bool>,
    /// The health check. Route 53 returns the record set only while the health check is healthy.
    pub(super) health_check: Option<Ref<HealthCheck>>,
}

/// The AWS resource that an alias record refers to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AliasTarget {
    /// The resource's own DNS name, as in `${LoadBalancer.web.dnsName}`.
    pub(super) dns_name: DnsName,
    /// The id of the hosted zone of the resource's DNS name, as in `${LoadBalancer.web.canonicalHostedZoneId}`;
    /// `Z2FDTNDATAQYW2` for every CloudFront distribution
    /// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html>).
    pub(super) hosted_zone: String,
    /// Whether Route 53 returns the record only while the target is healthy. Must be false for CloudFront.
    #[serde(default)]
    pub(super) evaluate_target_health: bool,
}

/// The location of clients: a continent, or a country and optionally a subdivision of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GeoLocation {
    /// The continent: `AF`, `AN`, `AS`, `EU`, `OC`, `NA` or `SA`.
    pub(super) continent_code: Option<String>,
    /// The two-letter country code, as in `DE`; `*` for all clients that no other record set matches.
    pub(super) country_code: Option<String>,
    /// A state of the United States, as in `CA`, or a region of Ukraine.
    pub(super) subdivision_code: Option<String>,
}

/// The addresses of clients, as a location in a CIDR collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CidrRoutingConfig {
    /// The id of the CIDR collection.
    pub(super) collection_id: String,
    /// The location in the collection; `*` for all other clients.
    pub(super) location_name: String,
}

/// The read-only attributes of a RecordSet.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordSetStatus {
    /// The canonical domain name: in lower case, without a trailing dot.
    fqdn: String,
}

/// The live record set, and the TXT record that names its owner.
#[derive(Clone, Debug)]
struct RecordAndOwner {
    record: ResourceRecordSet,
    owner_record: Option<ResourceRecordSet>,
}

impl Kind for RecordSet {
    type Status = RecordSetStatus;
    const TIER: Tier = Tier::Edge;
    const OWNERSHIP: Ownership = Ownership::EmbeddedMarker { key: &["zone", "recordName", "type", "setIdentifier"] };
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    const NAMING: NamingRules = NamingRules::limit(512);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const GLOBAL: bool = true;

    /// Lists each zone that the document refers to or that is owned, with one list call for each zone.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let listed = zones(aws, scope).await?;
        let requested = listed.iter().filter(|zone| {
            let owner = owner_marker::read::<HostedZone>(&zone.caller_reference).unwrap_or_default();
            is_parent(scope, &zone.id, &zone.name) || scope.is_owned(&owner)
        });
        let lists = requested.map(|zone| async {
            let id = bare(&zone.id);
            records(aws, scope, &id).await.map(|records| (id, records))
        });
        let lists = try_join_all(lists).await?;
        Ok(lists.iter().flat_map(|(zone, records)| in_zone(scope, zone, records)).collect())
    }

    /// Creates the record set and its owner record.
    ///
    /// **Expected flow**
    /// 1. One atomic change creates the record set with `CREATE` and writes the owner record with `UPSERT`.
    ///
    /// **Guarantees** `CREATE` never overwrites a live record set. A record set that Holdfast creates always has its
    /// owner record.
    ///
    /// **Caveats** An owner record can remain after its record set was deleted out of band, so the change overwrites
    /// it.
    ///
    /// **Errors** Route 53 refuses the whole change when the record set exists.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let zone = desired.spec.zone.as_str();
        let record = desired_record(desired, None)?;
        let identity = RecordIdentity::of(&record);
        // The owner record may exist already, but the record set must not.
        let owner = owner_record(&identity, &desired.tags)?;
        let changes = vec![
            record_change(ChangeAction::Create, record.clone())?,
            record_change(ChangeAction::Upsert, owner.clone())?,
        ];
        change(aws, zone, changes).await?;
        Ok(live(zone, &record, Some((read_owner(&owner).unwrap_or_default(), &owner))).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let RecordAndOwner { record: current, owner_record: current_owner } = live.raw::<RecordAndOwner>()?.clone();
        let record = desired_record(desired, Some(&current))?;
        let identity = RecordIdentity::of(&record);
        let owner = record_change(ChangeAction::Upsert, owner_record(&identity, &desired.tags)?)?;
        let changes = match identity == RecordIdentity::of(&current) {
            true => vec![record_change(ChangeAction::Upsert, record)?, owner],
            false => {
                let old = [Some(current), current_owner].into_iter().flatten();
                let delete =
                    old.map(|record| record_change(ChangeAction::Delete, record)).collect::<Result<Vec<_>>>()?;
                [delete, vec![record_change(ChangeAction::Create, record)?, owner]].concat()
            }
        };
        change(aws, desired.spec.zone.as_str(), changes).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let RecordAndOwner { record, owner_record } = live.raw::<RecordAndOwner>()?.clone();
        let records = [Some(record), owner_record].into_iter().flatten();
        let changes = records.map(|record| record_change(ChangeAction::Delete, record));
        change(aws, live.spec.zone.as_str(), changes.collect::<Result<_>>()?).await
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        let RecordAndOwner { record, owner_record: current_owner } = live.raw::<RecordAndOwner>()?;
        let mut all = live.tags.clone();
        all.retain(|key, _| !tags.remove.contains(key));
        all.extend(tags.set.clone());
        let changed = match (all.contains_key(tag::STACK), current_owner) {
            (true, _) => record_change(ChangeAction::Upsert, owner_record(&RecordIdentity::of(record), &all)?)?,
            // The record set is released.
            (false, Some(owner)) => record_change(ChangeAction::Delete, owner.clone())?,
            (false, None) => return Ok(()),
        };
        change(aws, live.spec.zone.as_str(), vec![changed]).await
    }
}

/// True when the document refers to this zone.
pub(crate) fn is_parent(scope: &Scope, id: &str, name: &str) -> bool {
    scope.is_parent(HostedZone::KIND, &plain(name)) || scope.is_parent(HostedZone::KIND, &bare(id))
}

/// Returns the id of a record set.
fn id(zone: &str, identity: &RecordIdentity) -> String {
    format!("{zone}_{}", identity.text())
}

/// Returns the record sets of a zone that the scope requests, without owner records.
fn in_zone(scope: &Scope, zone: &str, records: &[ResourceRecordSet]) -> Vec<Live<RecordSet>> {
    let owners: std::collections::BTreeMap<String, (Tags, &ResourceRecordSet)> =
        records.iter().filter_map(|record| Some((plain(&record.name), (read_owner(record)?, record)))).collect();
    let one = |record: &ResourceRecordSet| {
        let identity = RecordIdentity::of(record);
        let live = live(zone, record, owners.get(&identity.owner_record_name()).cloned());
        let is_named = scope.ids.contains(&live.id) || scope.names.contains(&live.name) || !scope.lookups.is_empty();
        let is_requested = read_owner(record).is_none() && (is_named || scope.is_owned(&live.tags));
        is_requested.then_some(live)
    };
    records.iter().filter_map(one).collect()
}

/// Returns a record set, with the owner that its owner record names.
fn live(zone: &str, record: &ResourceRecordSet, owner: Option<(Tags, &ResourceRecordSet)>) -> Live<RecordSet> {
    let identity = RecordIdentity::of(record);
    let (tags, owner_record) = owner.unzip();
    let raw = RecordAndOwner { record: record.clone(), owner_record: owner_record.cloned() };
    let (id, name) = (id(zone, &identity), identity.text());
    let live = Live::new(id, name, spec(zone, record), RecordSetStatus { fqdn: identity.name });
    live.tags(tags.unwrap_or_default()).keep(raw)
}

#[cfg(test)]
mod tests {
    use aws_sdk_route53::types::RrType;

    use super::*;

    #[test]
    fn only_a_record_set_with_an_owner_record_is_owned() {
        let owner = [(tag::STACK, "shop"), (tag::ENV, "prod"), (tag::ADDRESS, "RecordSet/www")];
        let tags: Tags = owner.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let a = ResourceRecordSet::builder().name("www.example.com.").r#type(RrType::A).build().expect("a record");
        let aaaa =
            ResourceRecordSet::builder().name("www.example.com.").r#type(RrType::Aaaa).build().expect("a record");
        let owner_record = owner_record(&RecordIdentity::of(&a), &tags).expect("it fits");
        let mut scope = Scope::default();
        scope.owners.insert(("shop".into(), "prod".into()));
        let found = in_zone(&scope, "Z1", &[a, aaaa, owner_record]);
        assert_eq!(found.iter().map(|live| live.id.as_str()).collect::<Vec<_>>(), ["Z1_www.example.com_A"]);
        scope.ids.insert("Z1_www.example.com_AAAA".into());
        let raw = found[0].raw::<RecordAndOwner>().expect("a record with its owner");
        assert!(raw.owner_record.is_some() && found[0].tags.contains_key(tag::ADDRESS));
    }

    #[test]
    fn a_create_returns_what_an_observation_returns() -> Result<()> {
        let json = serde_json::json!({"zone": "Z1", "recordName": "*.Example.com.", "type": "TXT", "records": ["a b"]});
        let spec: RecordSet = serde_json::from_value(json).expect("a spec");
        let owner = [(tag::STACK, "shop"), (tag::ENV, "prod"), (tag::ADDRESS, "RecordSet/any"), (tag::GENERATION, "1")];
        let tags: Tags = owner.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let (name, changed, token) = (String::new(), ["records".to_owned()].into(), String::new());
        let record = desired_record(&Desired { name, spec, changed, tags: tags.clone(), token }, None)?;
        let owner_record = owner_record(&RecordIdentity::of(&record), &tags)?;
        let created = live("Z1", &record, Some((read_owner(&owner_record).unwrap_or_default(), &owner_record)));
        let mut scope = Scope::default();
        scope.owners.insert(("shop".into(), "prod".into()));
        let observed = in_zone(&scope, "Z1", &[record, owner_record]).pop().expect("it is ours");
        assert_eq!((&created.id, &created.name, &created.tags), (&observed.id, &observed.name, &observed.tags));
        assert_eq!(created.spec.ttl, Some(300));
        Ok(())
    }
}
