//! SecurityGroup: who may reach what has it, and whom that may reach.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{self as sdk, ResourceType, TagSpecification};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Ref;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::group_rule::{Changes, GroupRule, changes, groups, rules};
use super::vpc::Vpc;
use super::{all, ec2, filter, sdk_tags, tag, tags_of, told};

/// A firewall around what has it. It lets through what a rule says, and the answers to that. At most 60 rules
/// each way, unless the quota was raised (<https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html>);
/// new ones are added before old ones go, so a change needs room for both.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityGroup {
    /// The network that it is part of.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// What it is for: up to 255 of `a-z A-Z 0-9 . _ - : / ( ) # , @ [ ] + = & ; { } ! $ *` and spaces. AWS wants
    /// one and never changes it; left out, a new group says "Managed by Holdfast".
    #[spec(immutable)]
    description: Option<String>,
    /// What may come in. `[]` is nothing at all, as in a new group.
    ingress: Option<BTreeSet<GroupRule>>,
    /// What may go out. `[]` is nothing at all. AWS gives a new group a rule that lets everything out, which
    /// stays when `egress` is left out and goes when it is stated without it.
    egress: Option<BTreeSet<GroupRule>>,
}

/// What only AWS knows of a SecurityGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityGroupStatus {
    /// Its ARN.
    arn: Option<String>,
    /// The account that owns it.
    owner_id: Option<String>,
}

impl Kind for SecurityGroup {
    type Status = SecurityGroupStatus;
    const TIER: Tier = Tier::Network;
    /// The group's name, not a tag: unique within the Vpc, whatever its case
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html>).
    const NAMING: Naming = Naming::limit(255);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        // The list has the rules too; DescribeSecurityGroupRules would add their ids, which no call needs.
        let ask = |filters| {
            ec2(aws).describe_security_groups().set_filters(filters).into_paginator().items().send().collect()
        };
        all(scope, "group-id", ask).await?.iter().map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let SecurityGroup { vpc, description, ingress: _, egress } = &desired.spec;
        let text = description.as_deref().unwrap_or("Managed by Holdfast");
        let tags = TagSpecification::builder().resource_type(ResourceType::SecurityGroup);
        let made = ec2(aws)
            .create_security_group()
            .group_name(&desired.name)
            .description(text)
            .vpc_id(vpc.as_str())
            .tag_specifications(tags.set_tags(Some(sdk_tags(&desired.tags))).build())
            .send()
            .await?;
        let group = sdk::SecurityGroup::builder()
            .set_group_id(made.group_id)
            .set_security_group_arn(made.security_group_arn)
            .vpc_id(vpc.as_str())
            .description(text);
        let mut live = live(&group.build())?;
        // Which rules out of it AWS has made depends on the network's address families.
        if egress.is_some() {
            return Ok(Made::unseen(live.id));
        }
        live.spec.egress = None;
        Ok(told(live, desired))
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let SecurityGroup { vpc: _, description: _, ingress, egress } = &desired.spec;
        let none = BTreeSet::new();
        let from = |rules: &Option<BTreeSet<GroupRule>>| rules.clone().unwrap_or_default();
        if desired.changed("ingress") {
            let changes = changes(&from(&live.spec.ingress), ingress.as_ref().unwrap_or(&none))?;
            send(aws, &live.id, Way::In, changes).await?;
        }
        if desired.changed("egress") {
            let changes = changes(&from(&live.spec.egress), egress.as_ref().unwrap_or(&none))?;
            send(aws, &live.id, Way::Out, changes).await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        free(aws, live).await?;
        ec2(aws).delete_security_group().group_id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

/// Takes away the rules that name other groups, so that groups that name each other can go one after the
/// other: AWS deletes none that another one names. While an interface still has the group, its rules stay.
async fn free(aws: &Aws, live: &Live<SecurityGroup>) -> Result<()> {
    let naming = |rules: &Option<BTreeSet<GroupRule>>| -> BTreeSet<GroupRule> {
        let others = |rule: &&GroupRule| groups([*rule]).iter().any(|group| *group != live.id);
        rules.iter().flatten().filter(others).cloned().collect()
    };
    let (ingress, egress) = (naming(&live.spec.ingress), naming(&live.spec.egress));
    if ingress.is_empty() && egress.is_empty() {
        return Ok(());
    }
    let with_it = filter("group-id", [live.id.clone()]);
    let mut users = ec2(aws).describe_network_interfaces().filters(with_it).into_paginator().items().send();
    if users.try_next().await?.is_none() {
        send(aws, &live.id, Way::In, changes(&ingress, &BTreeSet::new())?).await?;
        send(aws, &live.id, Way::Out, changes(&egress, &BTreeSet::new())?).await?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

/// At most one call each: what is new first, so that no traffic is cut.
async fn send(aws: &Aws, group: &str, way: Way, changes: Changes) -> Result<()> {
    macro_rules! send {
        ($rules:expr, $in:ident, $out:ident) => {
            match way {
                _ if $rules.is_empty() => {}
                Way::In => {
                    ec2(aws).$in().group_id(group).set_ip_permissions(Some($rules)).send().await?;
                }
                Way::Out => {
                    ec2(aws).$out().group_id(group).set_ip_permissions(Some($rules)).send().await?;
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
    Ok(Live::new(id, name, spec, status).tags(tags_of(group.tags.as_deref())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_egress_is_seen() {
        let everybody = sdk::IpRange::builder().cidr_ip("0.0.0.0/0").build();
        let everything = sdk::IpPermission::builder().ip_protocol("-1").ip_ranges(everybody).build();
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
