//! HostedZone: the DNS records of a domain, public or private to VPCs.

pub(crate) mod spec;

use std::collections::BTreeSet;

use aws_sdk_route53::operation::get_hosted_zone::GetHostedZoneOutput;
use aws_sdk_route53::types::{self as sdk, ChangeAction, RrType, TagResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::owner::OwnerRecord;
use holdfast_base::owner_marker;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Want, Wants as _, each};
use holdfast_core::observed::tag;
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{Excludes, Needs},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Ownership, Replacement, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;

pub(crate) use self::spec::HostedZone;
use self::spec::{HostedZoneStatus, ZoneVpc};
use super::calls::{
    bare, change, change_tags, list_records, owned, partition, record_change, tags, zone, zone_owner, zones,
};
use super::name::plain;
use super::record_set::owner::is_helper_record;
use super::route53;

impl Kind for HostedZone {
    type Status = HostedZoneStatus;
    type Owner = ZoneTags;
    const TIER: Tier = Tier::Edge;
    const REPLACEMENT: Replacement = Replacement::ByName;
    const NAMING: NamingRules = NamingRules { lowercase: true, ..NamingRules::limit(255) };
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html
        demand(Needs("vpcs")).when(&[Is("privateZone", &["true"])]),
        demand(Excludes("delegationSet")).when(&[Is("privateZone", &["true"])]),
    ];
    const STATEFUL: bool = true;
    const GLOBAL: bool = true;

    /// Finds the owned and requested zones.
    ///
    /// If the tag index knows all zones of the document, each costs one call. Otherwise the zones are listed. The list
    /// returns the caller references, which name the owners of the zones that Holdfast created. Tags cost one call for
    /// ten zones. Name servers and VPCs cost one call for each requested zone.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let tagging_client = tagging::of_no_region(aws)?;
        let is_zone = |service: &str, resource: &str| service == "route53" && resource.starts_with("hostedzone/");
        let observe = |arn: String, tags| async move {
            let detail = zone(aws, scope, arn.rsplit('/').next().unwrap_or_default()).await?;
            Ok(detail.as_ref().as_ref().and_then(|detail| from_response(aws, detail, tags)))
        };
        if let Some(found) = tagging::known(&tagging_client, scope, is_zone, observe).await? {
            return Ok(found);
        }
        // `privateZone` distinguishes zones of one name, so a lookup by `privateZone` alone states the name too.
        let decides = |field: &String| field != HostedZone::PRIVATE_ZONE.name();
        let lookups = scope.lookups.iter().filter(|lookup| lookup.map().is_some_and(|of| of.keys().any(decides)));
        let asks = &Scope { lookups: lookups.cloned().collect(), ..scope.clone() };
        let mut candidates = vec![];
        for zone in zones(aws, scope).await?.iter() {
            let mut bare = live(partition(aws), zone, None, &[]);
            // The list returns comments, so a zone without a comment does not match a lookup by comment.
            bare.spec.comment.get_or_insert_default();
            if asks.is_owned(&zone_owner(zone)) || asks.wants(&listed(zone, &bare)).any() {
                candidates.push((zone.clone(), bare));
            }
        }
        let ids: Vec<String> = candidates.iter().map(|(_, bare)| bare.id.clone()).collect();
        let tags = &tags(aws, &TagResourceType::Hostedzone, &ids).await?;
        each(candidates, |(listed_zone, bare)| async move {
            let tags = tags.get(&bare.id).cloned().unwrap_or_default();
            let tags = owned::<Self>(tags, &listed_zone.caller_reference);
            match asks.wants(&listed(&listed_zone, &bare).tags(&tags)) {
                Want::Nothing => Ok(None),
                Want::Identity => Ok(Some(bare.tags(tags))),
                Want::Fields => {
                    let detail = zone(aws, scope, &bare.id).await?;
                    Ok(detail.as_ref().as_ref().and_then(|detail| from_response(aws, detail, tags)))
                }
            }
        })
        .await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let HostedZone { comment, vpcs, private_zone, delegation_set } = &desired.spec;
        let first = vpcs.iter().flatten().next();
        let config = sdk::HostedZoneConfig::builder()
            .set_comment(comment.clone())
            .private_zone(private_zone.unwrap_or(first.is_some()))
            .build();
        let output = route53(aws)
            .create_hosted_zone()
            .name(&desired.name)
            // A caller reference has at most 128 characters
            // (https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html).
            .caller_reference(owner_marker::reference::<Self>(&desired.tags, &desired.token, 128)?)
            .set_vpc(first.map(sdk_vpc))
            .hosted_zone_config(config)
            .set_delegation_set_id(delegation_set.clone())
            .send()
            .await?;
        let zone = output.hosted_zone.ok_or_else(|| Error::incomplete("route53.CreateHostedZone", "hostedZone"))?;
        let vpcs: Vec<sdk::Vpc> = output.vpc.into_iter().collect();
        // Tags are set after the create. Until then the caller reference names the owner.
        let tags = owned::<Self>(Tags::new(), &zone.caller_reference);
        Ok(live(partition(aws), &zone, output.delegation_set.as_ref(), &vpcs).tags(tags).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let HostedZone { comment, vpcs, private_zone: _, delegation_set: _ } = &desired.spec;
        if desired.changed(HostedZone::COMMENT) {
            let update = route53(aws).update_hosted_zone_comment().id(&live.id);
            update.comment(comment.clone().unwrap_or_default()).send().await?;
        }
        if desired.changed(HostedZone::VPCS) {
            let none = BTreeSet::new();
            let (current, stated) = (live.spec.vpcs.as_ref().unwrap_or(&none), vpcs.as_ref().unwrap_or(&none));
            // New VPCs are associated first, because AWS refuses to disassociate the last VPC.
            for vpc in stated.difference(current) {
                let join = route53(aws).associate_vpc_with_hosted_zone().hosted_zone_id(&live.id);
                join.vpc(sdk_vpc(vpc)).send().await?;
            }
            for vpc in current.difference(stated) {
                let leave = route53(aws).disassociate_vpc_from_hosted_zone().hosted_zone_id(&live.id);
                leave.vpc(sdk_vpc(vpc)).send().await.or_absent()?;
            }
        }
        Ok(Updated::Known)
    }

    /// Deletes the zone and the records that Holdfast wrote into it for itself.
    ///
    /// **Expected flow**
    /// 1. Lists the record sets of the zone.
    /// 2. If all record sets except the zone's own NS and SOA records are owner records or validation records of
    ///    certificates, deletes them in batches.
    /// 3. Deletes the zone.
    ///
    /// **Guarantees** No other record set is deleted. If others exist, the zone keeps all its record sets.
    ///
    /// **Errors** Route 53 refuses to delete a zone while other record sets exist
    /// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_DeleteHostedZone.html>). The error names them, and no
    /// call is made.
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let records = list_records(aws, &live.id).await?;
        let is_base =
            |r: &&sdk::ResourceRecordSet| matches!(r.r#type, RrType::Ns | RrType::Soa) && plain(&r.name) == live.name;
        let left: Vec<_> = records.iter().filter(|record| !is_base(record)).collect();
        let others: Vec<_> = left.iter().filter(|record| !is_helper_record(record)).collect();
        if !others.is_empty() {
            return Err(Error::terminal("route53.DeleteHostedZone", not_empty(live, &others)));
        }
        if !left.is_empty() {
            // A batch has at most 1,000 changes
            // (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html).
            for part in left.chunks(500) {
                let changes = part.iter().map(|record| record_change(ChangeAction::Delete, (*record).clone()));
                change(aws, &live.id, changes.collect::<Result<_>>()?).await?;
            }
        }
        route53(aws).delete_hosted_zone().id(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the message of a zone that has record sets which Holdfast did not write for the zone.
fn not_empty(live: &Live<HostedZone>, others: &[&&sdk::ResourceRecordSet]) -> String {
    let named: Vec<String> =
        others.iter().take(3).map(|record| format!("{} {}", plain(&record.name), record.r#type.as_str())).collect();
    let more = match others.len().saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("the zone {} still has the record sets {}{more}; delete them first", live.name, named.join(", "))
}

/// The owner record of a zone: the caller reference of the create, and the owner tags after it.
pub(crate) struct ZoneTags;

impl OwnerRecord<HostedZone> for ZoneTags {
    const OWNERSHIP: Ownership = Ownership::CallerReference;

    /// Sets and removes tags, and always sets the owner tags. Before the first call only the caller reference names the
    /// owner, and the tag index finds a zone by its owner tags.
    async fn write(aws: &Aws, live: &Live<HostedZone>, changes: &TagChanges) -> Result<()> {
        let TagChanges { set, remove } = changes;
        let owner =
            [tag::STACK, tag::ENV, tag::ADDRESS, tag::GENERATION].into_iter().filter(|key| !remove.contains(*key));
        let owner = owner.filter_map(|key| Some((key.to_owned(), live.tags.get(key)?.clone())));
        let set = owner.chain(set.clone()).collect();
        change_tags(aws, TagResourceType::Hostedzone, &live.id, &TagChanges { set, remove: remove.clone() }).await
    }
}

/// Returns what the list call says of a zone. `bare` is the zone without the details that only its own call returns.
fn listed<'a>(zone: &'a sdk::HostedZone, bare: &'a Live<HostedZone>) -> Listed<'a> {
    Listed::id(&bare.id).or_id(&zone.id).named(&bare.name).spec(&bare.spec)
}

/// Returns a zone with these tags, as Route 53 returned it.
fn from_response(aws: &Aws, detail: &GetHostedZoneOutput, tags: Tags) -> Option<Live<HostedZone>> {
    let zone = detail.hosted_zone()?;
    let tags = owned::<HostedZone>(tags, &zone.caller_reference);
    Some(live(partition(aws), zone, detail.delegation_set(), detail.vpcs()).tags(tags))
}

fn sdk_vpc(vpc: &ZoneVpc) -> sdk::Vpc {
    sdk::Vpc::builder().vpc_id(vpc.vpc.as_str()).vpc_region(vpc.vpc_region.as_str().into()).build()
}

fn live(
    partition: &str,
    zone: &sdk::HostedZone,
    servers: Option<&sdk::DelegationSet>,
    vpcs: &[sdk::Vpc],
) -> Live<HostedZone> {
    let id = bare(&zone.id);
    let private = zone.config.as_ref().is_some_and(|config| config.private_zone);
    let vpc = |vpc: &sdk::Vpc| {
        Some(ZoneVpc { vpc: Ref::new(vpc.vpc_id.clone()?), vpc_region: vpc.vpc_region.as_ref()?.as_str().to_owned() })
    };
    let spec = HostedZone {
        comment: zone.config.as_ref().and_then(|config| config.comment.clone()).filter(|text| !text.is_empty()),
        vpcs: private.then(|| vpcs.iter().filter_map(vpc).collect()),
        private_zone: Some(private),
        delegation_set: servers.and_then(|set| set.id()).map(bare).filter(|id| !id.is_empty()),
    };
    let status = HostedZoneStatus {
        arn: format!("arn:{partition}:route53:::hostedzone/{id}"),
        name_servers: servers.map(|set| set.name_servers.clone()).unwrap_or_default(),
    };
    Live::new(id, plain(&zone.name), spec, status)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn zone(reference: &str) -> sdk::HostedZone {
        let zone = sdk::HostedZone::builder().id("/hostedzone/Z1").name("example.com.").caller_reference(reference);
        zone.build().expect("a zone")
    }

    #[test]
    fn the_name_of_a_zone_is_its_domain() {
        let live = live("aws", &zone("x"), None, &[]);
        assert_eq!((live.id.as_str(), live.name.as_str()), ("Z1", "example.com"));
        assert_eq!(live.status.arn, "arn:aws:route53:::hostedzone/Z1");
        assert_eq!((live.spec.private_zone, live.spec.vpcs), (Some(false), None));
    }

    #[test]
    fn the_caller_reference_names_the_owner_and_the_generation() {
        let owner =
            [(tag::STACK, "shop"), (tag::ENV, "prod"), (tag::ADDRESS, "HostedZone/main"), (tag::GENERATION, "2")];
        let tags: BTreeMap<_, _> = owner.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let reference = owner_marker::reference::<HostedZone>(&tags, "0123456789abcdef", 128).expect("it fits");
        assert_eq!(reference, "holdfast:shop/prod/main#012345@2");
        assert_eq!(zone_owner(&zone(&reference)).get(tag::ADDRESS), tags.get(tag::ADDRESS));
        assert_eq!(owned::<HostedZone>(BTreeMap::new(), &reference), tags);
    }
}
