//! SecurityGroup: a security group of a VPC.

mod rule;

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{self as sdk, ResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::all;
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::{self, Is},
    Demand::{AnyOf, AtMost, AtMostOne, Needs, Range},
    Relation, demand,
};
use holdfast_core::schema::{DocumentRelation, Idempotency, NamingRules, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::vpc::Vpc;
use super::{Ec2Tags, describe_all, ec2, filter, from_create_response, from_sdk_tags, tag_specification};
use rule::{RuleChanges, SecurityGroupRule, changes, groups, rules};

/// A security group: a stateful firewall for the resources that have it.
///
/// It allows the traffic of its rules, and the responses to that traffic. A group has at most 60 rules in each
/// direction, unless the quota was raised (<https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>).
/// Holdfast adds new rules before it removes old ones, so the quota must have room for both.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityGroup {
    /// The VPC of the group.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The description. AWS requires a description and cannot change it. Without one, a new group gets "Managed by
    /// Holdfast" (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>).
    #[spec(immutable, length = ..=255, pattern = r"[a-zA-Z0-9 ._:/()#,@\[\]+=&;{}!$*-]*")]
    description: Option<String>,
    /// The inbound rules. `[]` allows no inbound traffic, like a new group.
    ingress: Option<BTreeSet<SecurityGroupRule>>,
    /// The outbound rules. `[]` allows no outbound traffic. AWS gives a new group a rule that allows all outbound
    /// traffic. The rule is kept if `egress` is left out, and removed if `egress` is stated without it.
    #[spec(never_null)]
    egress: Option<BTreeSet<SecurityGroupRule>>,
}

/// The read-only attributes of a SecurityGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityGroupStatus {
    /// The ARN of the group.
    arn: Option<String>,
    /// The account that owns the group.
    owner_id: Option<String>,
}

/// The fields for the other side of a rule. A rule has one of them.
const OTHER_SIDE: &[&str] = &["cidrIpv4", "cidrIpv6", "securityGroup", "prefixListId"];

/// The protocols with ports.
const PORTS: &[Condition] = &[Is("ipProtocol", &["tcp", "udp", "6", "17"])];

impl Kind for SecurityGroup {
    type Status = SecurityGroupStatus;
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Network;
    /// The group name, not a tag. It is unique within the VPC, and its case does not count
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>).
    const NAMING: NamingRules = NamingRules::limit(255);
    const TAGS_ARE_LISTED: bool = true;
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[DocumentRelation::Unique(&[Self::VPC.name(), "name"])];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html
        demand(AnyOf(OTHER_SIDE)).at("ingress.*"),
        demand(AtMostOne(OTHER_SIDE)).at("ingress.*"),
        demand(Needs("fromPort")).when(PORTS).at("ingress.*"),
        demand(Needs("toPort")).when(PORTS).at("ingress.*"),
        demand(Range("fromPort", Some(0), None)).when(PORTS).at("ingress.*"),
        demand(AtMost("fromPort", "toPort")).when(PORTS).at("ingress.*"),
        demand(AnyOf(OTHER_SIDE)).at("egress.*"),
        demand(AtMostOne(OTHER_SIDE)).at("egress.*"),
        demand(Needs("fromPort")).when(PORTS).at("egress.*"),
        demand(Needs("toPort")).when(PORTS).at("egress.*"),
        demand(Range("fromPort", Some(0), None)).when(PORTS).at("egress.*"),
        demand(AtMost("fromPort", "toPort")).when(PORTS).at("egress.*"),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        // The response contains the rules. DescribeSecurityGroupRules would add their ids, which no call needs.
        let describe =
            |filters| all(ec2(aws).describe_security_groups().set_filters(filters).into_paginator().items().send());
        describe_all(scope, "group-id", describe).await?.iter().map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let SecurityGroup { vpc, description, ingress: _, egress } = &desired.spec;
        let text = description.as_deref().unwrap_or("Managed by Holdfast");
        let created = ec2(aws)
            .create_security_group()
            .group_name(&desired.name)
            .description(text)
            .vpc_id(vpc.as_str())
            .tag_specifications(tag_specification(ResourceType::SecurityGroup, &desired.all_tags())?)
            .send()
            .await?;
        let group = sdk::SecurityGroup::builder()
            .set_group_id(created.group_id)
            .set_security_group_arn(created.security_group_arn)
            .vpc_id(vpc.as_str())
            .description(text);
        let mut live = live(&group.build())?;
        // The default outbound rules depend on the address families of the VPC, so a new observation reads them.
        if egress.is_some() {
            return Ok(Created::unobserved(live.id));
        }
        live.spec.egress = None;
        Ok(from_create_response(live, desired))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let SecurityGroup { vpc: _, description: _, ingress, egress } = &desired.spec;
        let none = BTreeSet::new();
        let from = |rules: &Option<BTreeSet<SecurityGroupRule>>| rules.clone().unwrap_or_default();
        if desired.changed(SecurityGroup::INGRESS) {
            let changes = changes(&from(&live.spec.ingress), ingress.as_ref().unwrap_or(&none))?;
            send(aws, &live.id, Direction::Ingress, changes).await?;
        }
        if desired.changed(SecurityGroup::EGRESS) {
            let changes = changes(&from(&live.spec.egress), egress.as_ref().unwrap_or(&none))?;
            send(aws, &live.id, Direction::Egress, changes).await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        revoke_references(aws, live).await?;
        ec2(aws).delete_security_group().group_id(&live.id).send().await?;
        Ok(())
    }
}

/// Revokes the rules that refer to other groups, before the group is deleted.
///
/// AWS refuses to delete a group that a rule of another group refers to. Without these rules, groups that refer to each
/// other can be deleted one after the other. While a network interface has the group, its rules are kept.
async fn revoke_references(aws: &Aws, live: &Live<SecurityGroup>) -> Result<()> {
    let references = |rules: &Option<BTreeSet<SecurityGroupRule>>| -> BTreeSet<SecurityGroupRule> {
        let others = |rule: &&SecurityGroupRule| groups([*rule]).iter().any(|group| *group != live.id);
        rules.iter().flatten().filter(others).cloned().collect()
    };
    let (ingress, egress) = (references(&live.spec.ingress), references(&live.spec.egress));
    if ingress.is_empty() && egress.is_empty() {
        return Ok(());
    }
    let by_group = filter("group-id", [live.id.clone()]);
    let mut interfaces = ec2(aws).describe_network_interfaces().filters(by_group).into_paginator().items().send();
    if interfaces.try_next().await?.is_none() {
        send(aws, &live.id, Direction::Ingress, changes(&ingress, &BTreeSet::new())?).await?;
        send(aws, &live.id, Direction::Egress, changes(&egress, &BTreeSet::new())?).await?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Direction {
    Ingress,
    Egress,
}

/// Sends the changes with at most one call each. New rules are authorised first, so that no traffic is interrupted.
async fn send(aws: &Aws, group: &str, direction: Direction, changes: RuleChanges) -> Result<()> {
    macro_rules! send {
        ($rules:expr, $ingress:ident, $egress:ident) => {
            match direction {
                _ if $rules.is_empty() => {}
                Direction::Ingress => {
                    ec2(aws).$ingress().group_id(group).set_ip_permissions(Some($rules)).send().await?;
                }
                Direction::Egress => {
                    ec2(aws).$egress().group_id(group).set_ip_permissions(Some($rules)).send().await?;
                }
            }
        };
    }
    send!(changes.authorize, authorize_security_group_ingress, authorize_security_group_egress);
    send!(
        changes.describe,
        update_security_group_rule_descriptions_ingress,
        update_security_group_rule_descriptions_egress
    );
    send!(changes.revoke, revoke_security_group_ingress, revoke_security_group_egress);
    Ok(())
}

fn live(group: &sdk::SecurityGroup) -> Result<Live<SecurityGroup>> {
    let id = group.group_id.clone().ok_or_else(|| Error::incomplete("ec2.DescribeSecurityGroups", "groupId"))?;
    let spec = SecurityGroup {
        vpc: Ref::new(group.vpc_id().unwrap_or_default()),
        description: group.description.clone(),
        ingress: Some(rules(group.ip_permissions())),
        egress: Some(rules(group.ip_permissions_egress())),
    };
    let status = SecurityGroupStatus { arn: group.security_group_arn.clone(), owner_id: group.owner_id.clone() };
    let name = group.group_name.clone().unwrap_or_default();
    Ok(Live::new(id, name, spec, status).tags(from_sdk_tags(group.tags())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_egress_rule_is_observed() {
        let anywhere = sdk::IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let everything = sdk::IpPermission::builder().ip_protocol("-1").ip_ranges(anywhere).build();
        let name = sdk::Tag::builder().key("Name").value("other").build();
        let group = sdk::SecurityGroup::builder()
            .group_id("sg-1")
            .group_name("shop-dev-web")
            .tags(name)
            .ip_permissions_egress(everything)
            .build();
        let live = live(&group).unwrap();
        assert_eq!(live.name, "shop-dev-web");
        assert_eq!(live.spec.ingress, Some(BTreeSet::new()));
        let changes = changes(&live.spec.egress.unwrap(), &BTreeSet::new()).unwrap();
        assert_eq!((changes.revoke.len(), changes.revoke[0].from_port), (1, None));
    }
}
