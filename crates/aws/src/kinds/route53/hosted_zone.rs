//! HostedZone: a domain's DNS.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_route53::types::{self as sdk, Tag, TagResourceType};
use holdfast_core::Spec;
use holdfast_core::observed::tag;
use holdfast_core::schema::{CreateClass, Naming, Replace, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, OrAbsent, Result};
use crate::kind::{Desired, Kind, Live};
use crate::kinds::ec2::vpc::Vpc;

/// A hosted zone. Its `name` is the domain, without a dot at the end, and has to be stated. One that somebody
/// else made is looked up with `lifecycle: { manage: observe }` and its `name`. AWS takes no tags when it makes
/// a zone: until they are set, its caller reference tells whose it is.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostedZone {
    /// What it is for.
    comment: Option<String>,
    /// Whether it answers only inside its networks. One with `vpcs` is private anyway; state this to look up
    /// the public or the private one of two zones of the same name.
    #[spec(immutable)]
    private_zone: Option<bool>,
    /// The networks that a private zone answers in: at least one.
    vpcs: Option<BTreeSet<ZoneVpc>>,
}

/// A network that a private zone answers in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ZoneVpc {
    /// The network.
    vpc: Ref<Vpc>,
    /// Its region, as in `eu-west-1`.
    vpc_region: String,
}

/// What only AWS knows of a HostedZone.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostedZoneStatus {
    /// Its ARN.
    arn: String,
    /// The servers to name at the registrar; of a public zone.
    name_servers: Vec<String>,
    /// What the caller said when it was made.
    caller_reference: String,
}

impl Kind for HostedZone {
    type Status = HostedZoneStatus;
    const TIER: Tier = Tier::Edge;
    const REPLACE: Replace = Replace::DeleteFirst;
    const NAMING: Naming = Naming { lowercase: true, ..Naming::limit(255) };
    const CLASS: CreateClass = CreateClass::Token;
    const DATA: bool = true;
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = aws.route53.list_hosted_zones().into_paginator().send();
        let pages = pages.collect::<std::result::Result<Vec<_>, _>>().await?;
        let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
        let is_wanted = |zone: &&sdk::HostedZone| {
            let (id, name) = (id_of(&zone.id), name_of(&zone.name));
            let ours = owner(&zone.caller_reference).is_some_and(|tags| scope.is_owned(&tags));
            let by_id = scope.ids.iter().any(|asked| id_of(asked) == id || asked == name);
            ours || by_id || by_fields || scope.is_candidate(name)
        };
        let wanted: Vec<&sdk::HostedZone> =
            pages.iter().flat_map(|page| page.hosted_zones()).filter(is_wanted).collect();
        let ids: Vec<String> = wanted.iter().map(|zone| id_of(&zone.id).to_owned()).collect();
        let mut tags = tags_of(aws, &ids).await?;
        let mut found = vec![];
        for id in ids {
            if let Some(detail) = aws.route53.get_hosted_zone().id(&id).send().await.or_absent()? {
                let mut tags = tags.remove(&id).unwrap_or_default();
                let live = live(&detail, id)?;
                if !tags.contains_key(tag::STACK) {
                    tags.extend(owner(&live.status.caller_reference).unwrap_or_default());
                }
                found.push(live.tags(tags));
            }
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<String> {
        let HostedZone { comment, private_zone, vpcs } = &desired.spec;
        let first = vpcs.iter().flatten().next();
        let private = private_zone.unwrap_or(first.is_some());
        let config = sdk::HostedZoneConfig::builder().set_comment(comment.clone()).private_zone(private).build();
        let made = aws
            .route53
            .create_hosted_zone()
            .name(&desired.name)
            .caller_reference(reference(&desired.tags, &desired.token)?)
            .hosted_zone_config(config)
            .set_vpc(first.map(sdk_vpc))
            .send()
            .await?;
        let zone = made.hosted_zone.ok_or_else(|| Error::incomplete("route53.CreateHostedZone", "hostedZone"))?;
        Ok(id_of(&zone.id).to_owned())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let HostedZone { comment, private_zone: _, vpcs } = &desired.spec;
        if desired.changed("comment") {
            aws.route53.update_hosted_zone_comment().id(&live.id).set_comment(comment.clone()).send().await?;
        }
        if desired.changed("vpcs") {
            let none = BTreeSet::new();
            let (wanted, there) = (vpcs.as_ref().unwrap_or(&none), live.spec.vpcs.as_ref().unwrap_or(&none));
            // The new ones first: a private zone keeps at least one.
            for vpc in wanted.difference(there) {
                aws.route53.associate_vpc_with_hosted_zone().hosted_zone_id(&live.id).vpc(sdk_vpc(vpc)).send().await?;
            }
            for vpc in there.difference(wanted) {
                let leave = aws.route53.disassociate_vpc_from_hosted_zone().hosted_zone_id(&live.id);
                leave.vpc(sdk_vpc(vpc)).send().await?;
            }
        }
        Ok(())
    }

    /// AWS refuses while the zone has records beside its own NS and SOA.
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        aws.route53.delete_hosted_zone().id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(
        aws: &Aws,
        live: &Live<Self>,
        set: &BTreeMap<String, String>,
        remove: &BTreeSet<String>,
    ) -> Result<()> {
        // What the caller reference says of a new zone is made a tag of its own.
        let mut set = set.clone();
        for (key, value) in owner(&live.status.caller_reference).unwrap_or_default() {
            if live.tags.get(&key) == Some(&value) && !remove.contains(&key) {
                set.entry(key).or_insert(value);
            }
        }
        let add: Vec<Tag> = set.iter().map(|(k, v)| Tag::builder().key(k).value(v).build()).collect();
        let remove: Vec<String> = remove.iter().cloned().collect();
        aws.route53
            .change_tags_for_resource()
            .resource_type(TagResourceType::Hostedzone)
            .resource_id(&live.id)
            .set_add_tags(Some(add).filter(|tags| !tags.is_empty()))
            .set_remove_tag_keys(Some(remove).filter(|keys| !keys.is_empty()))
            .send()
            .await?;
        Ok(())
    }
}

/// The tags of these zones, asked for by ten, which is the call's limit
/// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListTagsForResources.html>).
async fn tags_of(aws: &Aws, ids: &[String]) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let mut all = BTreeMap::new();
    for ten in ids.chunks(10) {
        let ask = aws.route53.list_tags_for_resources().resource_type(TagResourceType::Hostedzone);
        let answer = ask.set_resource_ids(Some(ten.to_vec())).send().await?;
        for one in answer.resource_tag_sets {
            let pair = |tag: Tag| Some((tag.key?, tag.value.unwrap_or_default()));
            let tags = one.tags.unwrap_or_default().into_iter().filter_map(pair).collect();
            all.insert(one.resource_id.unwrap_or_default(), tags);
        }
    }
    Ok(all)
}

/// The caller reference of a zone of ours: `holdfast|stack|env|address|token`, at most 128 characters.
fn reference(tags: &BTreeMap<String, String>, token: &str) -> Result<String> {
    let get = |key: &str| tags.get(key).map(String::as_str).unwrap_or_default();
    let token: String = token.chars().take(16).collect();
    let reference = ["holdfast", get(tag::STACK), get(tag::ENV), get(tag::ADDRESS), &token].join("|");
    match reference.len() {
        ..=128 => Ok(reference),
        _ => Err(Error::terminal(
            "route53.CreateHostedZone",
            "the names of the stack, the environment and the zone's address are too long together: 100 characters fit",
        )),
    }
}

/// The owner that a caller reference names, as tags.
fn owner(reference: &str) -> Option<BTreeMap<String, String>> {
    let parts: Vec<&str> = reference.split('|').collect();
    let ["holdfast", stack, env, address, _] = parts[..] else { return None };
    let pairs = [(tag::STACK, stack), (tag::ENV, env), (tag::ADDRESS, address)];
    Some(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
}

/// `Z123`, with or without `/hostedzone/` before it.
fn id_of(id: &str) -> &str {
    id.trim_start_matches("/hostedzone/")
}

/// The domain without the dot at its end.
fn name_of(name: &str) -> &str {
    name.trim_end_matches('.')
}

fn sdk_vpc(vpc: &ZoneVpc) -> sdk::Vpc {
    sdk::Vpc::builder().vpc_id(vpc.vpc.as_str()).vpc_region(vpc.vpc_region.as_str().into()).build()
}

fn live(
    detail: &aws_sdk_route53::operation::get_hosted_zone::GetHostedZoneOutput,
    id: String,
) -> Result<Live<HostedZone>> {
    let zone = detail.hosted_zone().ok_or_else(|| Error::incomplete("route53.GetHostedZone", "hostedZone"))?;
    let vpcs = detail.vpcs().iter().filter_map(|vpc| {
        let vpc_region = vpc.vpc_region.as_ref()?.as_str().to_owned();
        Some(ZoneVpc { vpc: Ref::new(vpc.vpc_id.clone()?), vpc_region })
    });
    let spec = HostedZone {
        comment: zone.config.as_ref().and_then(|c| c.comment.clone()).filter(|comment| !comment.is_empty()),
        private_zone: Some(zone.config.as_ref().is_some_and(|c| c.private_zone)),
        vpcs: Some(vpcs.collect()).filter(|vpcs: &BTreeSet<_>| !vpcs.is_empty()),
    };
    let status = HostedZoneStatus {
        arn: format!("arn:aws:route53:::hostedzone/{id}"),
        name_servers: detail.delegation_set.as_ref().map(|set| set.name_servers.clone()).unwrap_or_default(),
        caller_reference: zone.caller_reference.clone(),
    };
    Ok(Live::new(id, name_of(&zone.name), spec, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_reference_remembers_its_owner() -> Result<()> {
        let owner_tags: BTreeMap<String, String> =
            [(tag::STACK, "shop"), (tag::ENV, "prod"), (tag::ADDRESS, "HostedZone/main")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into();
        let reference = reference(&owner_tags, "0123456789abcdef0123456789abcdef")?;
        assert_eq!(owner(&reference), Some(owner_tags));
        assert_eq!(owner("terraform-20240101"), None);
        assert_eq!((id_of("/hostedzone/Z1"), name_of("example.com.")), ("Z1", "example.com"));
        Ok(())
    }
}
