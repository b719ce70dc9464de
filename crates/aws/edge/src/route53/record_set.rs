//! RecordSet: what a zone answers for a name and a type.

use std::collections::BTreeSet;

use aws_sdk_route53::types::{ChangeAction, ResourceRecordSet};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::mark;
use holdfast_base::tagging::Tags;
use holdfast_base::together::try_join_all;
use holdfast_core::Spec;
use holdfast_core::observed::tag;
use holdfast_core::schema::{Claim, CreateClass, Named as _, Naming, Replace, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::health_check::HealthCheck;
use super::hosted_zone::HostedZone;
use super::name::{DnsName, RecordValue, plain};
use super::record_wire::{Identity, mark_record, read_mark, spec, wanted};
use super::{bare, change, one, records, zones};

/// A record set. It has no tags, and its zone takes too few to remember it by
/// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html>: ten). So its owner stands
/// in a TXT record below it, written and deleted in the same change as the record itself:
/// `_holdfast-a.www.example.com` for the A record of `www.example.com`. A zone is no less safe to share for it: a record
/// that is there without such a TXT record is somebody else's, is held in the plan and never overwritten. It is taken
/// over with `lifecycle: { adopt: <zone id>_www.example.com_A }`.
///
/// A zone that is not of this document is named by its id, `zone: { id: Z0123456789ABCDEFGHIJ }`, or is a `HostedZone`
/// with `lifecycle: { manage: observe }`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordSet {
    /// The zone.
    #[spec(immutable)]
    pub(super) zone: Ref<HostedZone>,
    /// The whole domain name, as in `www.example.com`, or `*.example.com` for all that have no records of their own.
    /// AWS calls it `Name`, which here is the word beside the spec that a record has no use for. A change of it, as of
    /// `type` and `setIdentifier`, replaces the record in one atomic change.
    pub(super) record_name: DnsName,
    /// `A`, `AAAA`, `CAA`, `CNAME`, `DS`, `HTTPS`, `MX`, `NAPTR`, `NS`, `PTR`, `SPF`, `SRV`, `SSHFP`, `SVCB`, `TLSA`
    /// or `TXT`.
    pub(super) r#type: String,
    /// Seconds that resolvers may keep it; 300 when it is not stated. An alias has that of its target.
    pub(super) ttl: Option<i64>,
    /// The values. The text of a TXT record may be stated without quotation marks.
    pub(super) records: Option<BTreeSet<RecordValue>>,
    /// The AWS resource that it is an alias of, in place of `ttl` and `records`.
    pub(super) alias_target: Option<AliasTarget>,
    /// What tells it from the others of its name and type, where a routing policy has several.
    pub(super) set_identifier: Option<String>,
    /// Its share among the others: 0 to 255.
    pub(super) weight: Option<i64>,
    /// The region from which latency is measured, as in `us-east-1`. AWS calls it `Region`, which here is the word
    /// beside the spec for where a resource is.
    pub(super) latency_region: Option<String>,
    /// `PRIMARY` or `SECONDARY`.
    pub(super) failover: Option<String>,
    /// Where those are who get this answer.
    pub(super) geo_location: Option<GeoLocation>,
    /// The addresses of those who get this answer.
    pub(super) cidr_routing_config: Option<CidrRouting>,
    /// Whether it is one of up to eight answers that are given together.
    pub(super) multi_value_answer: Option<bool>,
    /// It is answered only while this health check is healthy.
    pub(super) health_check: Option<Ref<HealthCheck>>,
}

/// The AWS resource that a record is an alias of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AliasTarget {
    /// The resource's own name, as in `${LoadBalancer.web.dnsName}`.
    pub(super) dns_name: DnsName,
    /// The id of the zone that the resource's name is in, as in `${LoadBalancer.web.canonicalHostedZoneId}`;
    /// `Z2FDTNDATAQYW2` for every CloudFront distribution
    /// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html>).
    pub(super) hosted_zone: String,
    /// Whether it is answered only while the target is healthy; never for CloudFront.
    #[serde(default)]
    pub(super) evaluate_target_health: bool,
}

/// Where those are who get an answer: a continent, or a country and perhaps a part of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GeoLocation {
    /// `AF`, `AN`, `AS`, `EU`, `OC`, `NA` or `SA`.
    pub(super) continent_code: Option<String>,
    /// Two letters, as in `DE`; `*` for everybody whom no other record means.
    pub(super) country_code: Option<String>,
    /// A state of the United States, as in `CA`, or a region of Ukraine.
    pub(super) subdivision_code: Option<String>,
}

/// The addresses of those who get an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CidrRouting {
    /// The id of the CIDR collection.
    pub(super) collection_id: String,
    /// The location in it; `*` for everybody else.
    pub(super) location_name: String,
}

/// What only AWS knows of a RecordSet.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordSetStatus {
    /// Its domain name in the one spelling: lower case, without a dot at the end.
    fqdn: String,
}

/// What AWS has: the record set, and the text record that names its owner.
#[derive(Clone, Debug)]
struct Pair {
    record: ResourceRecordSet,
    mark: Option<ResourceRecordSet>,
}

impl Kind for RecordSet {
    type Status = RecordSetStatus;
    const TIER: Tier = Tier::Edge;
    const CLAIM: Claim = Claim::Mark { key: &["zone", "recordName", "type", "setIdentifier"] };
    const REPLACE: Replace = Replace::DeleteFirst;
    const NAMING: Naming = Naming::limit(512);
    const CLASS: CreateClass = CreateClass::Name;
    const GLOBAL: bool = true;

    /// One list of each zone that a record of the document refers to, or that is ours.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let listed = zones(aws, scope).await?;
        let wanted = listed.iter().filter(|zone| {
            let owner = mark::read::<HostedZone>(&zone.caller_reference).unwrap_or_default();
            is_parent(scope, &zone.id, &zone.name) || scope.is_owned(&owner)
        });
        let lists = wanted.map(|zone| async {
            let id = bare(&zone.id);
            records(aws, scope, &id).await.map(|records| (id, records))
        });
        let lists = try_join_all(lists).await?;
        Ok(lists.iter().flat_map(|(zone, records)| in_zone(scope, zone, records)).collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let zone = desired.spec.zone.as_str();
        let record = wanted(desired, None)?;
        let identity = Identity::of(&record);
        // A text record may be left of one that somebody deleted; the record itself must not be there.
        let mark = mark_record(&identity, &desired.tags)?;
        let changes = vec![one(ChangeAction::Create, record.clone())?, one(ChangeAction::Upsert, mark.clone())?];
        change(aws, zone, changes).await?;
        Ok(live(zone, &record, Some((read_mark(&mark).unwrap_or_default(), &mark))).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let Pair { record: there, mark: there_mark } = live.raw::<Pair>()?.clone();
        let record = wanted(desired, Some(&there))?;
        let identity = Identity::of(&record);
        let mark = one(ChangeAction::Upsert, mark_record(&identity, &desired.tags)?)?;
        let changes = match identity == Identity::of(&there) {
            true => vec![one(ChangeAction::Upsert, record)?, mark],
            false => {
                let gone = [Some(there), there_mark].into_iter().flatten();
                let gone = gone.map(|record| one(ChangeAction::Delete, record)).collect::<Result<Vec<_>>>()?;
                [gone, vec![one(ChangeAction::Create, record)?, mark]].concat()
            }
        };
        change(aws, desired.spec.zone.as_str(), changes).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let Pair { record, mark } = live.raw::<Pair>()?.clone();
        let gone = [Some(record), mark].into_iter().flatten().map(|record| one(ChangeAction::Delete, record));
        change(aws, live.spec.zone.as_str(), gone.collect::<Result<_>>()?).await
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Pair { record, mark } = live.raw::<Pair>()?;
        let mut all = live.tags.clone();
        all.retain(|key, _| !tags.remove.contains(key));
        all.extend(tags.set.clone());
        let changed = match (all.contains_key(tag::STACK), mark) {
            (true, _) => one(ChangeAction::Upsert, mark_record(&Identity::of(record), &all)?)?,
            // It is let go.
            (false, Some(mark)) => one(ChangeAction::Delete, mark.clone())?,
            (false, None) => return Ok(()),
        };
        change(aws, live.spec.zone.as_str(), vec![changed]).await
    }
}

/// True when a zone is one that something of the document refers to.
pub(crate) fn is_parent(scope: &Scope, id: &str, name: &str) -> bool {
    scope.is_parent(HostedZone::KIND, &plain(name)) || scope.is_parent(HostedZone::KIND, &bare(id))
}

fn id(zone: &str, identity: &Identity) -> String {
    format!("{zone}_{}", identity.text())
}

/// The record sets of a zone that the scope asks for, without those that only name owners.
fn in_zone(scope: &Scope, zone: &str, records: &[ResourceRecordSet]) -> Vec<Live<RecordSet>> {
    let marks: std::collections::BTreeMap<String, (Tags, &ResourceRecordSet)> =
        records.iter().filter_map(|record| Some((plain(&record.name), (read_mark(record)?, record)))).collect();
    let one = |record: &ResourceRecordSet| {
        let identity = Identity::of(record);
        let live = live(zone, record, marks.get(&identity.mark_name()).cloned());
        let asked_for = scope.ids.contains(&live.id) || scope.names.contains(&live.name) || !scope.lookups.is_empty();
        let is_wanted = read_mark(record).is_none() && (asked_for || scope.is_owned(&live.tags));
        is_wanted.then_some(live)
    };
    records.iter().filter_map(one).collect()
}

/// A record set, and what the text record beside it says of its owner.
fn live(zone: &str, record: &ResourceRecordSet, mark: Option<(Tags, &ResourceRecordSet)>) -> Live<RecordSet> {
    let identity = Identity::of(record);
    let (tags, mark) = mark.unzip();
    let pair = Pair { record: record.clone(), mark: mark.cloned() };
    let (id, name) = (id(zone, &identity), identity.text());
    let live = Live::new(id, name, spec(zone, record), RecordSetStatus { fqdn: identity.name });
    live.tags(tags.unwrap_or_default()).keep(pair)
}

#[cfg(test)]
mod tests {
    use aws_sdk_route53::types::RrType;

    use super::*;

    #[test]
    fn only_what_has_its_owner_beside_it_is_ours() {
        let owner = [(tag::STACK, "shop"), (tag::ENV, "prod"), (tag::ADDRESS, "RecordSet/www")];
        let tags: Tags = owner.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let a = ResourceRecordSet::builder().name("www.example.com.").r#type(RrType::A).build().expect("a record");
        let aaaa =
            ResourceRecordSet::builder().name("www.example.com.").r#type(RrType::Aaaa).build().expect("a record");
        let mark = mark_record(&Identity::of(&a), &tags).expect("it fits");
        let mut scope = Scope::default();
        scope.owners.insert(("shop".into(), "prod".into()));
        let found = in_zone(&scope, "Z1", &[a, aaaa, mark]);
        assert_eq!(found.iter().map(|live| live.id.as_str()).collect::<Vec<_>>(), ["Z1_www.example.com_A"]);
        scope.ids.insert("Z1_www.example.com_AAAA".into());
        let raw = found[0].raw::<Pair>().expect("a pair");
        assert!(raw.mark.is_some() && found[0].tags.contains_key(tag::ADDRESS));
    }

    #[test]
    fn a_create_tells_what_a_look_shows() -> Result<()> {
        let json = serde_json::json!({"zone": "Z1", "recordName": "*.Example.com.", "type": "TXT", "records": ["a b"]});
        let spec: RecordSet = serde_json::from_value(json).expect("a spec");
        let owner = [(tag::STACK, "shop"), (tag::ENV, "prod"), (tag::ADDRESS, "RecordSet/any"), (tag::GENERATION, "1")];
        let tags: Tags = owner.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let (name, changed, token) = (String::new(), ["records".to_owned()].into(), String::new());
        let record = wanted(&Desired { name, spec, changed, tags: tags.clone(), token }, None)?;
        let mark = mark_record(&Identity::of(&record), &tags)?;
        let told = live("Z1", &record, Some((read_mark(&mark).unwrap_or_default(), &mark)));
        let mut scope = Scope::default();
        scope.owners.insert(("shop".into(), "prod".into()));
        let seen = in_zone(&scope, "Z1", &[record, mark]).pop().expect("it is ours");
        assert_eq!((&told.id, &told.name, &told.tags), (&seen.id, &seen.name, &seen.tags));
        assert_eq!(told.spec.ttl, Some(300));
        Ok(())
    }
}
