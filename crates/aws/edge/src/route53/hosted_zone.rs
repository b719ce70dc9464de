//! HostedZone: the DNS records of a domain, for the world or for VPCs.

use std::collections::BTreeSet;

use aws_sdk_route53::operation::get_hosted_zone::GetHostedZoneOutput;
use aws_sdk_route53::types::{self as sdk, ChangeAction, RrType, TagResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::mark;
use holdfast_base::names::Vpc;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::together::try_join_all;
use holdfast_core::Spec;
use holdfast_core::observed::tag;
use holdfast_core::schema::{Claim, CreateClass, Naming, Replace, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::name::plain;
use super::{bare, is_wanted, list_records, one, owned, partition, record_wire, retag, route53, tags, zone, zones};

/// A hosted zone. Its `name` is the domain, in lower case and without the dot at the end: state it, as in
/// `name: example.com`. Deleting a public zone loses the delegation: a new one of that name gets other name servers.
/// AWS deletes a zone only when nothing is left in it but its own NS and SOA records; what Holdfast writes there for
/// itself, and the records that validate certificates, go with it.
///
/// A zone takes ten tags, Holdfast's own seven among them, so three are left for the document's and the stack's
/// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html>).
///
/// One that somebody else made is looked up by its name: `name: example.com, lifecycle: { manage: observe }`;
/// `privateZone` tells two of one name apart.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostedZone {
    /// What it is for: at most 256 characters. `null` for none.
    comment: Option<String>,
    /// The VPCs in which a private zone answers; one at least. Without this it is a public zone.
    vpcs: Option<BTreeSet<ZoneVpc>>,
    /// Whether it is private. It follows from `vpcs`; state it in a lookup.
    #[spec(immutable)]
    private_zone: Option<bool>,
    /// The id (`N…`) of a reusable delegation set, for name servers that several zones share; public zones only.
    #[spec(immutable)]
    delegation_set: Option<String>,
}

/// A VPC in which a private zone answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ZoneVpc {
    /// The VPC.
    vpc: Ref<Vpc>,
    /// The region that the VPC is in, as in `us-east-1`: zones are global, and AWS asks.
    vpc_region: String,
}

/// What only AWS knows of a HostedZone.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostedZoneStatus {
    /// Its ARN.
    arn: String,
    /// Its name servers, for the delegation at the registrar or in the zone above; a private zone has none.
    name_servers: Vec<String>,
}

impl Kind for HostedZone {
    type Status = HostedZoneStatus;
    const TIER: Tier = Tier::Edge;
    const CLAIM: Claim = Claim::Intent;
    const REPLACE: Replace = Replace::ByName;
    const NAMING: Naming = Naming { lowercase: true, ..Naming::limit(255) };
    const CLASS: CreateClass = CreateClass::Token;
    const DATA: bool = true;
    const GLOBAL: bool = true;

    /// A call for each that the hint knows, where it knows all. Otherwise the list has the caller references and so the
    /// owners of what was made here; tags take a call for ten zones, name servers and VPCs a call for each that is wanted.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let there = tagging::of_no_region(aws)?;
        let is = |service: &str, resource: &str| service == "route53" && resource.starts_with("hostedzone/");
        let look = |arn: String, tags| async move {
            let detail = zone(aws, scope, arn.rsplit('/').next().unwrap_or_default()).await?;
            Ok(detail.as_ref().as_ref().and_then(|detail| told(aws, detail, tags)))
        };
        if let Some(found) = tagging::known(&there, scope, is, look).await? {
            return Ok(found);
        }
        let listed = zones(aws, scope).await?;
        let wanted: Vec<String> = listed.iter().filter(|zone| is_wanted(scope, zone)).map(|z| bare(&z.id)).collect();
        let kind = TagResourceType::Hostedzone;
        let details = wanted.iter().map(|id| zone(aws, scope, id));
        let (mut tags, details) = futures::try_join!(tags(aws, &kind, &wanted), try_join_all(details))?;
        let found = wanted
            .iter()
            .zip(details)
            .filter_map(|(id, detail)| told(aws, Option::as_ref(&detail)?, tags.remove(id).unwrap_or_default()));
        Ok(found.collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let HostedZone { comment, vpcs, private_zone, delegation_set } = &desired.spec;
        let first = vpcs.iter().flatten().next();
        let config = sdk::HostedZoneConfig::builder()
            .set_comment(comment.clone())
            .private_zone(private_zone.unwrap_or(first.is_some()))
            .build();
        let made = route53(aws)
            .create_hosted_zone()
            .name(&desired.name)
            // At most 128 characters (https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html).
            .caller_reference(mark::reference::<Self>(&desired.tags, &desired.token, 128)?)
            .set_vpc(first.map(sdk_vpc))
            .hosted_zone_config(config)
            .set_delegation_set_id(delegation_set.clone())
            .send()
            .await?;
        let zone = made.hosted_zone.ok_or_else(|| Error::incomplete("route53.CreateHostedZone", "hostedZone"))?;
        let vpcs: Vec<sdk::Vpc> = made.vpc.into_iter().collect();
        // Tags follow; until then the caller reference names the owner.
        let tags = owned::<Self>(Tags::new(), &zone.caller_reference);
        Ok(live(partition(aws), &zone, made.delegation_set.as_ref(), &vpcs).tags(tags).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let HostedZone { comment, vpcs, private_zone: _, delegation_set: _ } = &desired.spec;
        if desired.changed("comment") {
            let update = route53(aws).update_hosted_zone_comment().id(&live.id);
            update.comment(comment.clone().unwrap_or_default()).send().await?;
        }
        if desired.changed("vpcs") {
            let none = BTreeSet::new();
            let (there, wanted) = (live.spec.vpcs.as_ref().unwrap_or(&none), vpcs.as_ref().unwrap_or(&none));
            // New ones first: AWS keeps the last one.
            for vpc in wanted.difference(there) {
                let join = route53(aws).associate_vpc_with_hosted_zone().hosted_zone_id(&live.id);
                join.vpc(sdk_vpc(vpc)).send().await?;
            }
            for vpc in there.difference(wanted) {
                let leave = route53(aws).disassociate_vpc_from_hosted_zone().hosted_zone_id(&live.id);
                leave.vpc(sdk_vpc(vpc)).send().await.or_absent()?;
            }
        }
        Ok(())
    }

    /// What Holdfast wrote for itself goes first, unless somebody else's records keep the zone anyway.
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let records = list_records(aws, &live.id).await?;
        let is_base =
            |r: &&sdk::ResourceRecordSet| matches!(r.r#type, RrType::Ns | RrType::Soa) && plain(&r.name) == live.name;
        let left: Vec<_> = records.iter().filter(|record| !is_base(record)).collect();
        if !left.is_empty() && left.iter().all(|record| record_wire::is_residue(record)) {
            // A batch takes 1,000 changes
            // (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html).
            for part in left.chunks(500) {
                let changes = part.iter().map(|record| one(ChangeAction::Delete, (*record).clone()));
                super::change(aws, &live.id, changes.collect::<Result<_>>()?).await?;
            }
        }
        route53(aws).delete_hosted_zone().id(&live.id).send().await?;
        Ok(())
    }

    /// Its owner goes along, whom only the caller reference names until then: the index finds it by that.
    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        let owner =
            [tag::STACK, tag::ENV, tag::ADDRESS, tag::GENERATION].into_iter().filter(|key| !remove.contains(*key));
        let owner = owner.filter_map(|key| Some((key.to_owned(), live.tags.get(key)?.clone())));
        let set = owner.chain(set.clone()).collect();
        retag(aws, TagResourceType::Hostedzone, &live.id, &Retag { set, remove: remove.clone() }).await
    }
}

/// A zone with these tags, as AWS tells of it.
fn told(aws: &Aws, detail: &GetHostedZoneOutput, tags: Tags) -> Option<Live<HostedZone>> {
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
    fn a_zone_is_called_as_its_domain() {
        let live = live("aws", &zone("x"), None, &[]);
        assert_eq!((live.id.as_str(), live.name.as_str()), ("Z1", "example.com"));
        assert_eq!(live.status.arn, "arn:aws:route53:::hostedzone/Z1");
        assert_eq!((live.spec.private_zone, live.spec.vpcs), (Some(false), None));
    }

    #[test]
    fn its_caller_reference_names_its_owner_and_the_generation() {
        let owner =
            [(tag::STACK, "shop"), (tag::ENV, "prod"), (tag::ADDRESS, "HostedZone/main"), (tag::GENERATION, "2")];
        let tags: BTreeMap<_, _> = owner.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        let reference = mark::reference::<HostedZone>(&tags, "0123456789abcdef", 128).expect("it fits");
        assert_eq!(reference, "holdfast:shop/prod/main#012345@2");
        let mut scope = Scope::default();
        assert!(!is_wanted(&scope, &zone(&reference)));
        scope.owners.insert(("shop".into(), "prod".into()));
        assert!(is_wanted(&scope, &zone(&reference)));
        assert_eq!(owned::<HostedZone>(BTreeMap::new(), &reference), tags);
    }
}
