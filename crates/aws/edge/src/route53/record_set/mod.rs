//! RecordSet: the records of one domain name and type in a hosted zone.

mod check;
pub(super) mod owner;
mod spec;
mod wire;

use std::collections::BTreeMap;

use aws_sdk_route53::types::{ChangeAction, ResourceRecordSet};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{EmbeddedMarker, Marked};
use holdfast_base::tagging::Tags;
use holdfast_base::try_join_all::try_join_all;
use holdfast_base::wanted::{Listed, Wants as _};
use holdfast_core::observed::tag;
use holdfast_core::schema::relation::{
    Condition::{Is, Stated},
    Demand::{AnyOf, AtMostOne, Excludes, Items, Needs},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Replacement, Tier, ValidationError};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;

use self::owner::{RecordIdentity, owner_record, read_owner};
pub(crate) use self::spec::RecordSet;
use self::spec::RecordSetStatus;
use self::wire::{desired_record, spec};
use super::calls::{bare, change, is_parent, record_change, records, zone_owner, zones};
use super::name::plain;

/// The live record set, and the TXT record that names its owner.
#[derive(Clone, Debug)]
struct RecordAndOwner {
    record: ResourceRecordSet,
    owner_record: Option<ResourceRecordSet>,
}

/// The fields of a routing policy. A record set has one of them at most.
const ROUTING: &[&str] =
    &["weight", "latencyRegion", "failover", "geoLocation", "cidrRoutingConfig", "multiValueAnswer"];

impl Kind for RecordSet {
    type Status = RecordSetStatus;
    type Owner = EmbeddedMarker;
    const TIER: Tier = Tier::Edge;
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    const NAMING: NamingRules = NamingRules::limit(512);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/Route53/latest/APIReference/API_ResourceRecordSet.html
        demand(Needs("setIdentifier")).when(&[Stated("weight")]),
        demand(Needs("setIdentifier")).when(&[Stated("latencyRegion")]),
        demand(Needs("setIdentifier")).when(&[Stated("failover")]),
        demand(Needs("setIdentifier")).when(&[Stated("geoLocation")]),
        demand(Needs("setIdentifier")).when(&[Stated("cidrRoutingConfig")]),
        demand(Needs("setIdentifier")).when(&[Stated("multiValueAnswer")]),
        demand(AnyOf(ROUTING)).when(&[Stated("setIdentifier")]),
        demand(AtMostOne(ROUTING)),
        demand(AnyOf(&["records", "aliasTarget"])),
        demand(AtMostOne(&["records", "aliasTarget"])),
        demand(Excludes("ttl")).when(&[Stated("aliasTarget")]),
        demand(Excludes("aliasTarget")).when(&[Is("multiValueAnswer", &["true"])]),
        demand(Items("records", None, Some(1))).when(&[Is("type", &["CNAME"])]),
    ];
    const GLOBAL: bool = true;

    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        check::check(spec)
    }

    /// Lists each zone that the document refers to or that is owned, with one list call for each zone.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let listed = zones(aws, scope).await?;
        let requested = listed.iter().filter(|zone| is_parent(scope, zone) || scope.is_owned(&zone_owner(zone)));
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
        change(aws, desired.spec.zone.as_str(), changes).await?;
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let RecordAndOwner { record, owner_record } = live.raw::<RecordAndOwner>()?.clone();
        let records = [Some(record), owner_record].into_iter().flatten();
        let changes = records.map(|record| record_change(ChangeAction::Delete, record));
        change(aws, live.spec.zone.as_str(), changes.collect::<Result<_>>()?).await
    }
}

impl Marked for RecordSet {
    const IDENTITY: &'static [&'static str] =
        &[Self::ZONE.name(), Self::RECORD_NAME.name(), Self::TYPE.name(), Self::SET_IDENTIFIER.name()];

    async fn write_marker(aws: &Aws, live: &Live<Self>, owner: &Tags) -> Result<()> {
        let RecordAndOwner { record, owner_record: current_owner } = live.raw::<RecordAndOwner>()?;
        let changed = match (owner.contains_key(tag::STACK), current_owner) {
            (true, _) => record_change(ChangeAction::Upsert, owner_record(&RecordIdentity::of(record), owner)?)?,
            // The record set is released.
            (false, Some(owner)) => record_change(ChangeAction::Delete, owner.clone())?,
            (false, None) => return Ok(()),
        };
        change(aws, live.spec.zone.as_str(), vec![changed]).await
    }
}

/// Returns the id of a record set.
fn id(zone: &str, identity: &RecordIdentity) -> String {
    format!("{zone}_{}", identity.text())
}

/// Returns the record sets of a zone that the scope requests, without owner records.
fn in_zone(scope: &Scope, zone: &str, records: &[ResourceRecordSet]) -> Vec<Live<RecordSet>> {
    let owners: BTreeMap<String, (Tags, &ResourceRecordSet)> =
        records.iter().filter_map(|record| Some((plain(&record.name), (read_owner(record)?, record)))).collect();
    let one = |record: &ResourceRecordSet| {
        let identity = RecordIdentity::of(record);
        let live = live(zone, record, owners.get(&identity.owner_record_name()).cloned());
        let listed = Listed::id(&live.id).named(&live.name).tags(&live.tags).spec(&live.spec);
        let is_wanted = read_owner(record).is_none() && scope.wants(&listed).any();
        is_wanted.then_some(live)
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
        let record = desired_record(
            &Desired { name, spec, changed, stated: Default::default(), tags: tags.clone(), token },
            None,
        )?;
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
