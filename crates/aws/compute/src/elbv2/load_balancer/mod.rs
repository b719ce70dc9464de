//! LoadBalancer: an application, network or gateway load balancer.

mod spec;

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_elasticloadbalancingv2::types::{self as sdk, LoadBalancerAttribute, LoadBalancerStateEnum};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::names::Subnet;
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::{all, text, texts};
use holdfast_base::wanted::each;
use holdfast_core::observed::Phase;
use holdfast_core::schema::relation::{
    Condition::{Absent, Is},
    Demand::{Excludes, Items, Needs},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Ref, ServerDefault};
use holdfast_engine::cloud::Scope;

use super::{Elbv2Tags, attribute_changes, attributes, elbv2, full_name, sdk_tags, wanted};
pub(crate) use spec::LoadBalancer;
use spec::{KEYS, LoadBalancerStatus};

impl Kind for LoadBalancer {
    type Status = LoadBalancerStatus;
    type Owner = TagOnCreate<Elbv2Tags>;
    const TIER: Tier = Tier::Compute;
    /// It has an ARN and a DNS name from the start, and accepts listeners while it is being provisioned.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const DELETION_PROTECTION: Option<&'static str> = Some("attributes.deletionProtectionEnabled");
    const NAMING: NamingRules = NamingRules {
        form: (r"[A-Za-z0-9](-?[A-Za-z0-9])*", "has letters, digits and single hyphens between them"),
        reserved: &["internal-"],
        ..NamingRules::limit(32)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateLoadBalancer.html
        demand(Items("subnets", Some(2), None)).when(&[Is("type", &["application"])]),
        demand(Items("subnets", Some(2), None)).when(&[Absent("type")]),
        demand(Excludes("securityGroups")).when(&[Is("type", &["gateway"])]),
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html
        demand(Needs("accessLogsS3Bucket")).when(&[Is("accessLogsS3Enabled", &["true"])]).at("attributes"),
        demand(Needs("connectionLogsS3Bucket")).when(&[Is("connectionLogsS3Enabled", &["true"])]).at("attributes"),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let listed = load_balancers(aws, scope).await?.iter().map(live).collect::<Result<Vec<_>>>()?;
        each(wanted(aws, scope, listed).await?, |(mut live, want)| async move {
            // The attributes of a foreign load balancer with a name of ours do not matter: its name is already in use.
            if want.fields() {
                let describe = elbv2(aws).describe_load_balancer_attributes().load_balancer_arn(&live.id);
                let Some(output) = describe.send().await.or_absent()? else { return Ok(None) };
                let pairs = output.attributes().iter().map(|a| (a.key(), a.value()));
                live.spec.attributes = Some(ServerDefault(attributes(pairs)?));
            }
            Ok(Some(live))
        })
        .await
    }

    /// Creates the load balancer. A second create with the same name and settings returns the first load balancer. It
    /// never returns a foreign one, because `observe` finds any load balancer with the name, whoever owns it.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let LoadBalancer { r#type, scheme, ip_address_type, subnets, security_groups, attributes: _ } = &desired.spec;
        let output = elbv2(aws)
            .create_load_balancer()
            .name(&desired.name)
            .set_type(r#type.as_deref().map(Into::into))
            .set_scheme(scheme.as_deref().map(Into::into))
            .set_ip_address_type(ip_address_type.as_ref().map(|of| of.as_str().into()))
            .set_subnets(Some(texts(subnets)))
            .set_security_groups(security_groups.as_ref().map(texts))
            .set_tags(Some(sdk_tags(&desired.tags)?))
            .send()
            .await?;
        let missing = || Error::incomplete("elasticloadbalancingv2.CreateLoadBalancer", "loadBalancers");
        let balancer = output.load_balancers.unwrap_or_default().pop().ok_or_else(missing)?;
        Ok(live(&balancer)?.tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let LoadBalancer { r#type, scheme: _, ip_address_type, subnets, security_groups, attributes } = &desired.spec;
        // The security groups are first, because they restrict access. The subnets precede the address type, because
        // `dualstack` needs subnets with IPv6.
        if desired.changed(LoadBalancer::SECURITY_GROUPS) {
            let groups = security_groups.as_ref().map(texts).unwrap_or_default();
            let set = elbv2(aws).set_security_groups().load_balancer_arn(&live.id);
            set.set_security_groups(Some(groups)).send().await?;
        }
        if desired.changed(LoadBalancer::SUBNETS) {
            for subnets in subnet_changes(r#type.as_deref(), &live.spec.subnets, subnets) {
                let set = elbv2(aws).set_subnets().load_balancer_arn(&live.id);
                set.set_subnets(Some(texts(&subnets))).send().await?;
            }
        }
        if let Some(of) = ip_address_type.as_ref().filter(|_| desired.changed(LoadBalancer::IP_ADDRESS_TYPE)) {
            let set = elbv2(aws).set_ip_address_type().load_balancer_arn(&live.id);
            set.ip_address_type(of.as_str().into()).send().await?;
        }
        let changes = attribute_changes(&KEYS, live.spec.attributes.as_deref(), attributes.as_deref());
        if !changes.is_empty() {
            let changes = changes.into_iter().map(|(k, v)| LoadBalancerAttribute::builder().key(k).value(v).build());
            let modify = elbv2(aws).modify_load_balancer_attributes().load_balancer_arn(&live.id);
            modify.set_attributes(Some(changes.collect())).send().await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        elbv2(aws).delete_load_balancer().load_balancer_arn(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the sets of subnets to set, one after the other. A Network Load Balancer refuses another subnet in a zone that
/// is enabled: "You first complete removing the existing subnet, then you can add the new subnet"
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/availability-zones.html>).
fn subnet_changes(
    r#type: Option<&str>,
    live: &BTreeSet<Ref<Subnet>>,
    desired: &BTreeSet<Ref<Subnet>>,
) -> Vec<BTreeSet<Ref<Subnet>>> {
    let kept: BTreeSet<Ref<Subnet>> = live.intersection(desired).cloned().collect();
    let both = kept.len() < live.len() && kept.len() < desired.len();
    match both && r#type == Some("network") && !kept.is_empty() {
        true => vec![kept, desired.clone()],
        false => vec![desired.clone()],
    }
}

/// Returns all load balancers of the region, listed once per refresh: listeners are found through them.
pub(crate) async fn load_balancers(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<sdk::LoadBalancer>>> {
    let describe = || all(elbv2(aws).describe_load_balancers().into_paginator().items().send());
    aws.once(scope, "elbv2.loadBalancers", describe).await
}

/// Reads a load balancer from a list response, which has neither tags nor attributes.
fn live(balancer: &sdk::LoadBalancer) -> Result<Live<LoadBalancer>> {
    let arn = balancer.load_balancer_arn.clone();
    let arn =
        arn.ok_or_else(|| Error::incomplete("elasticloadbalancingv2.DescribeLoadBalancers", "loadBalancerArn"))?;
    let groups: BTreeSet<_> = balancer.security_groups().iter().map(|id| Ref::new(id.as_str())).collect();
    let spec = LoadBalancer {
        r#type: text(&balancer.r#type),
        scheme: text(&balancer.scheme),
        ip_address_type: text(&balancer.ip_address_type).map(ServerDefault),
        subnets: balancer.availability_zones().iter().filter_map(|z| z.subnet_id.clone()).map(Ref::new).collect(),
        security_groups: Some(groups).filter(|groups| !groups.is_empty()),
        attributes: None,
    };
    let status = LoadBalancerStatus {
        arn: arn.clone(),
        dns_name: balancer.dns_name.clone(),
        canonical_hosted_zone_id: balancer.canonical_hosted_zone_id.clone(),
        full_name: full_name(&arn),
    };
    let live = Live::new(arn, balancer.load_balancer_name.clone().unwrap_or_default(), spec, status);
    let state = balancer.state.as_ref();
    let reason = || state.and_then(|s| s.reason.clone()).unwrap_or_else(|| "AWS reports no reason".into());
    Ok(match state.and_then(|s| s.code.as_ref()) {
        Some(LoadBalancerStateEnum::Provisioning) => live.phase(Phase::Pending),
        Some(LoadBalancerStateEnum::Failed) => live.phase(Phase::Failed).degraded("Failed", reason()),
        Some(LoadBalancerStateEnum::ActiveImpaired) => {
            live.degraded("Impaired", format!("The load balancer routes requests, but cannot scale: {}", reason()))
        }
        _ => live,
    })
}

#[cfg(test)]
mod tests {
    use super::spec::LoadBalancerAttributes;
    use super::*;
    use crate::elbv2::tests::check_keys;

    #[test]
    fn every_attribute_has_a_key() {
        check_keys::<LoadBalancerAttributes>(&KEYS);
    }

    #[test]
    fn a_network_load_balancer_removes_a_subnet_before_it_adds_another() {
        let set = |ids: &[&str]| -> BTreeSet<Ref<Subnet>> { ids.iter().map(|id| Ref::new(*id)).collect() };
        let changes = |of, live: &[&str], desired: &[&str]| subnet_changes(Some(of), &set(live), &set(desired));
        assert_eq!(changes("network", &["a", "b"], &["a2", "b"]), [set(&["b"]), set(&["a2", "b"])]);
        assert_eq!(changes("network", &["a"], &["a", "b"]), [set(&["a", "b"])], "nothing is removed");
        assert_eq!(changes("network", &["a"], &["a2"]), [set(&["a2"])], "a load balancer needs a subnet");
        assert_eq!(changes("application", &["a", "b"], &["a2", "b"]), [set(&["a2", "b"])]);
    }

    #[test]
    fn a_load_balancer_that_is_being_provisioned_is_pending() -> Result<()> {
        let balancer = sdk::LoadBalancer::builder()
            .load_balancer_arn("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/web/0a")
            .availability_zones(sdk::AvailabilityZone::builder().subnet_id("subnet-1").build())
            .state(sdk::LoadBalancerState::builder().code(LoadBalancerStateEnum::Provisioning).build())
            .build();
        let live = live(&balancer)?;
        assert_eq!((live.phase, live.status.full_name.as_str()), (Phase::Pending, "app/web/0a"));
        assert_eq!(live.spec.subnets, BTreeSet::from(["subnet-1".into()]));
        assert_eq!(live.spec.security_groups, None, "no security groups are an absent field, not an empty set");
        Ok(())
    }
}
