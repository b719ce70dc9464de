//! LoadBalancer: the entrance to a system, for HTTP or for TCP.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_elasticloadbalancingv2::types::{self as sdk, LoadBalancerAttribute, LoadBalancerStateEnum};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, is_asked_for};
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{attribute_changes, attributes, elbv2, full_name, sdk_tags, tag, tags_of};

/// A load balancer. Its name has at most 32 letters, digits and hyphens, and must not begin with
/// `internal-`. Making one takes minutes.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancer {
    /// `application` (AWS's default), `network` or `gateway`.
    #[spec(immutable)]
    r#type: Option<String>,
    /// `internet-facing` (AWS's default) or `internal`.
    #[spec(immutable)]
    scheme: Option<String>,
    /// `ipv4` (AWS's default), `dualstack`, or for an application load balancer
    /// `dualstack-without-public-ipv4`.
    ip_address_type: Option<Always<String>>,
    /// One subnet in each zone it serves; an application load balancer needs two zones.
    subnets: BTreeSet<Ref<Subnet>>,
    /// Its security groups. An application load balancer without any gets the network's default group. A
    /// network load balancer can have some only if it was made with some
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html>).
    security_groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// How it logs, times out and routes. CreateLoadBalancer takes none of it, so that it follows the create.
    attributes: Option<Always<LoadBalancerAttributes>>,
}

/// The attributes of a load balancer, each with AWS's key
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>).
/// What its type does not support is refused by AWS.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancerAttributes {
    /// `deletion_protection.enabled`: AWS refuses to delete it until this is false.
    deletion_protection_enabled: Option<Always<bool>>,
    /// `load_balancing.cross_zone.enabled`: always true for an application load balancer.
    load_balancing_cross_zone_enabled: Option<Always<bool>>,
    /// `access_logs.s3.enabled`: the bucket must exist and let the service write
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>).
    access_logs_s3_enabled: Option<Always<bool>>,
    /// `access_logs.s3.bucket`: the bucket's name.
    access_logs_s3_bucket: Option<String>,
    /// `access_logs.s3.prefix`.
    access_logs_s3_prefix: Option<String>,
    /// `connection_logs.s3.enabled`.
    connection_logs_s3_enabled: Option<Always<bool>>,
    /// `connection_logs.s3.bucket`: the bucket's name.
    connection_logs_s3_bucket: Option<String>,
    /// `connection_logs.s3.prefix`.
    connection_logs_s3_prefix: Option<String>,
    /// `idle_timeout.timeout_seconds`: 1 to 4000. AWS's default is 60.
    idle_timeout_timeout_seconds: Option<Always<i32>>,
    /// `client_keep_alive.seconds`: 60 to 604800. AWS's default is 3600.
    client_keep_alive_seconds: Option<Always<i32>>,
    /// `routing.http.desync_mitigation_mode`: `monitor`, `defensive` (AWS's default) or `strictest`.
    routing_http_desync_mitigation_mode: Option<Always<String>>,
    /// `routing.http.drop_invalid_header_fields.enabled`.
    routing_http_drop_invalid_header_fields_enabled: Option<Always<bool>>,
    /// `routing.http.preserve_host_header.enabled`.
    routing_http_preserve_host_header_enabled: Option<Always<bool>>,
    /// `routing.http.x_amzn_tls_version_and_cipher_suite.enabled`.
    routing_http_x_amzn_tls_version_and_cipher_suite_enabled: Option<Always<bool>>,
    /// `routing.http.xff_client_port.enabled`.
    routing_http_xff_client_port_enabled: Option<Always<bool>>,
    /// `routing.http.xff_header_processing.mode`: `append` (AWS's default), `preserve` or `remove`.
    routing_http_xff_header_processing_mode: Option<Always<String>>,
    /// `routing.http2.enabled`: AWS's default is true.
    routing_http2_enabled: Option<Always<bool>>,
    /// `waf.fail_open.enabled`: whether requests pass while the web ACL cannot be asked.
    waf_fail_open_enabled: Option<Always<bool>>,
    /// `zonal_shift.config.enabled`.
    zonal_shift_config_enabled: Option<Always<bool>>,
}

/// What only AWS knows of a LoadBalancer.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancerStatus {
    /// Its ARN; also its id.
    arn: String,
    /// The name that clients resolve.
    dns_name: Option<String>,
    /// The hosted zone of that name, for alias records.
    canonical_hosted_zone_id: Option<String>,
    /// `app/<name>/<id>`: the `LoadBalancer` dimension of its metrics.
    full_name: String,
}

/// Each attribute's key.
const KEYS: [&str; 19] = [
    "deletion_protection.enabled",
    "load_balancing.cross_zone.enabled",
    "access_logs.s3.enabled",
    "access_logs.s3.bucket",
    "access_logs.s3.prefix",
    "connection_logs.s3.enabled",
    "connection_logs.s3.bucket",
    "connection_logs.s3.prefix",
    "idle_timeout.timeout_seconds",
    "client_keep_alive.seconds",
    "routing.http.desync_mitigation_mode",
    "routing.http.drop_invalid_header_fields.enabled",
    "routing.http.preserve_host_header.enabled",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
    "routing.http.xff_client_port.enabled",
    "routing.http.xff_header_processing.mode",
    "routing.http2.enabled",
    "waf.fail_open.enabled",
    "zonal_shift.config.enabled",
];

impl Kind for LoadBalancer {
    type Status = LoadBalancerStatus;
    const TIER: Tier = Tier::Compute;
    /// It has its ARN and its DNS name from the start, and takes listeners while it is being provisioned.
    const EARLY: bool = true;
    const NAMING: Naming = Naming::limit(32);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let mut found = vec![];
        for balancer in all(aws, scope).await?.iter() {
            let live = live(balancer)?;
            let asked_for = is_asked_for(scope, &live.id, &live.name, &live.spec);
            if asked_for || scope.is_candidate(&live.name) {
                found.push((live, asked_for));
            }
        }
        let ids: Vec<String> = found.iter().map(|(live, _)| live.id.clone()).collect();
        let mut tags = tags_of(aws, scope, &ids).await?;
        let mut complete = vec![];
        for (mut live, asked_for) in found {
            live.tags = tags.remove(&live.id).unwrap_or_default();
            // Somebody else's, with a name of ours: that it is there is all that matters.
            if asked_for || scope.is_owned(&live.tags) {
                let ask = elbv2(aws).describe_load_balancer_attributes().load_balancer_arn(&live.id);
                let Some(answer) = ask.send().await.or_absent()? else { continue };
                let pairs = answer.attributes.unwrap_or_default();
                live.spec.attributes = Some(Always(attributes(pairs.iter().map(|a| (a.key(), a.value())))?));
            }
            complete.push(live);
        }
        Ok(complete)
    }

    /// AWS answers a second create with the same name and settings with the first load balancer; a foreign
    /// one is never reached so, because `observe` shows whoever has the name.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let LoadBalancer { r#type, scheme, ip_address_type, subnets, security_groups, attributes: _ } = &desired.spec;
        let made = elbv2(aws)
            .create_load_balancer()
            .name(&desired.name)
            .set_type(r#type.as_deref().map(Into::into))
            .set_scheme(scheme.as_deref().map(Into::into))
            .set_ip_address_type(ip_address_type.as_ref().map(|of| of.as_str().into()))
            .set_subnets(Some(texts(subnets)))
            .set_security_groups(security_groups.as_ref().map(texts))
            .set_tags(sdk_tags(&desired.tags))
            .send()
            .await?;
        let missing = || Error::incomplete("elasticloadbalancingv2.CreateLoadBalancer", "loadBalancers");
        let balancer = made.load_balancers.unwrap_or_default().pop().ok_or_else(missing)?;
        Ok(live(&balancer)?.tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let LoadBalancer { r#type: _, scheme: _, ip_address_type, subnets, security_groups, attributes } =
            &desired.spec;
        // Groups first: they are what keeps others out. Subnets before the address type: `dualstack` needs
        // subnets that have IPv6.
        if desired.changed("securityGroups") {
            let groups = security_groups.as_ref().map(texts).unwrap_or_default();
            let set = elbv2(aws).set_security_groups().load_balancer_arn(&live.id);
            set.set_security_groups(Some(groups)).send().await?;
        }
        if desired.changed("subnets") {
            let set = elbv2(aws).set_subnets().load_balancer_arn(&live.id);
            set.set_subnets(Some(texts(subnets))).send().await?;
        }
        if let Some(of) = ip_address_type.as_ref().filter(|_| desired.changed("ipAddressType")) {
            let set = elbv2(aws).set_ip_address_type().load_balancer_arn(&live.id);
            set.ip_address_type(of.as_str().into()).send().await?;
        }
        let changes = attribute_changes(&KEYS, live.spec.attributes.as_deref(), attributes.as_deref());
        if !changes.is_empty() {
            let changes = changes.into_iter().map(|(k, v)| LoadBalancerAttribute::builder().key(k).value(v).build());
            let modify = elbv2(aws).modify_load_balancer_attributes().load_balancer_arn(&live.id);
            modify.set_attributes(Some(changes.collect())).send().await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        elbv2(aws).delete_load_balancer().load_balancer_arn(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

/// All load balancers of the region, listed once in a sweep: listeners are found through them.
pub(crate) async fn all(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<sdk::LoadBalancer>>> {
    aws.once(scope, "elbv2.loadBalancers", || async {
        let pages = elbv2(aws).describe_load_balancers().into_paginator().items().send();
        Ok(pages.collect::<std::result::Result<Vec<_>, _>>().await?)
    })
    .await
}

fn texts<K>(references: &BTreeSet<Ref<K>>) -> Vec<String> {
    references.iter().map(|reference| reference.as_str().to_owned()).collect()
}

/// The load balancer as the list tells it: without tags and attributes.
fn live(balancer: &sdk::LoadBalancer) -> Result<Live<LoadBalancer>> {
    let arn = balancer.load_balancer_arn.clone();
    let arn =
        arn.ok_or_else(|| Error::incomplete("elasticloadbalancingv2.DescribeLoadBalancers", "loadBalancerArn"))?;
    let groups: BTreeSet<_> = balancer.security_groups().iter().map(|id| Ref::new(id.as_str())).collect();
    let spec = LoadBalancer {
        r#type: balancer.r#type.as_ref().map(|t| t.as_str().to_owned()),
        scheme: balancer.scheme.as_ref().map(|s| s.as_str().to_owned()),
        ip_address_type: balancer.ip_address_type.as_ref().map(|t| Always(t.as_str().to_owned())),
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
    let reason = || state.and_then(|s| s.reason.clone()).unwrap_or_else(|| "AWS gives no reason".into());
    Ok(match state.and_then(|s| s.code.as_ref()) {
        Some(LoadBalancerStateEnum::Provisioning) => live.phase(Phase::Pending),
        Some(LoadBalancerStateEnum::Failed) => live.phase(Phase::Failed).remark("Failed", reason()),
        Some(LoadBalancerStateEnum::ActiveImpaired) => {
            live.remark("Impaired", format!("It routes, but cannot scale: {}", reason()))
        }
        _ => live,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_keys;
    use super::*;

    #[test]
    fn every_attribute_has_its_key() {
        check_keys::<LoadBalancerAttributes>(&KEYS);
    }

    #[test]
    fn a_load_balancer_that_is_being_made_cannot_be_used_yet() -> Result<()> {
        let balancer = sdk::LoadBalancer::builder()
            .load_balancer_arn("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/web/0a")
            .availability_zones(sdk::AvailabilityZone::builder().subnet_id("subnet-1").build())
            .state(sdk::LoadBalancerState::builder().code(LoadBalancerStateEnum::Provisioning).build())
            .build();
        let live = live(&balancer)?;
        assert_eq!((live.phase, live.status.full_name.as_str()), (Phase::Pending, "app/web/0a"));
        assert_eq!(live.spec.subnets, BTreeSet::from(["subnet-1".into()]));
        assert_eq!(live.spec.security_groups, None, "none is absent, not an empty set");
        Ok(())
    }
}
