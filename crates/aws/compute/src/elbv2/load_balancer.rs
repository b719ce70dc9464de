//! LoadBalancer: an application, network or gateway load balancer.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_elasticloadbalancingv2::types::{self as sdk, LoadBalancerAttribute, LoadBalancerStateEnum};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, is_requested};
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_base::sdk::all;
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{attribute_changes, attributes, elbv2, full_name, sdk_tags, tag, tags_of};

/// A load balancer. Its name has at most 32 letters, digits and hyphens, and must not begin with `internal-`. AWS takes
/// minutes to create one.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancer {
    /// The type: `application` (AWS's default), `network` or `gateway`.
    #[spec(immutable)]
    r#type: Option<String>,
    /// The scheme: `internet-facing` (AWS's default) or `internal`.
    #[spec(immutable)]
    scheme: Option<String>,
    /// The IP address type: `ipv4` (AWS's default), `dualstack`, or for an application load balancer
    /// `dualstack-without-public-ipv4`.
    ip_address_type: Option<ServerDefault<String>>,
    /// The subnets: one in each Availability Zone. An application load balancer needs two zones.
    subnets: BTreeSet<Ref<Subnet>>,
    /// The security groups. An application load balancer without security groups gets the VPC's default group. A
    /// network load balancer can have security groups only if it was created with some
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html>).
    security_groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// The attributes: logs, timeouts and routing. CreateLoadBalancer does not accept them; an update after the create
    /// sets them.
    attributes: Option<ServerDefault<LoadBalancerAttributes>>,
}

/// The attributes of a load balancer, each with AWS's key
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>).
/// AWS refuses an attribute that the type of the load balancer does not support.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancerAttributes {
    /// `deletion_protection.enabled`: AWS refuses to delete the load balancer while this is true.
    deletion_protection_enabled: Option<ServerDefault<bool>>,
    /// `load_balancing.cross_zone.enabled`: always true for an application load balancer.
    load_balancing_cross_zone_enabled: Option<ServerDefault<bool>>,
    /// `access_logs.s3.enabled`: whether access logs are written. The bucket must exist and allow the service to write
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>).
    access_logs_s3_enabled: Option<ServerDefault<bool>>,
    /// `access_logs.s3.bucket`: the bucket's name.
    access_logs_s3_bucket: Option<String>,
    /// `access_logs.s3.prefix`: the prefix of the log objects' keys.
    access_logs_s3_prefix: Option<String>,
    /// `connection_logs.s3.enabled`: whether connection logs are written.
    connection_logs_s3_enabled: Option<ServerDefault<bool>>,
    /// `connection_logs.s3.bucket`: the bucket's name.
    connection_logs_s3_bucket: Option<String>,
    /// `connection_logs.s3.prefix`: the prefix of the log objects' keys.
    connection_logs_s3_prefix: Option<String>,
    /// `idle_timeout.timeout_seconds`: the idle timeout in seconds, 1 to 4000. AWS's default is 60.
    idle_timeout_timeout_seconds: Option<ServerDefault<i32>>,
    /// `client_keep_alive.seconds`: the keep-alive duration in seconds, 60 to 604800. AWS's default is 3600.
    client_keep_alive_seconds: Option<ServerDefault<i32>>,
    /// `routing.http.desync_mitigation_mode`: how requests are handled that may be a security risk: `monitor`,
    /// `defensive` (AWS's default) or `strictest`.
    routing_http_desync_mitigation_mode: Option<ServerDefault<String>>,
    /// `routing.http.drop_invalid_header_fields.enabled`: whether header fields that are not valid are removed.
    routing_http_drop_invalid_header_fields_enabled: Option<ServerDefault<bool>>,
    /// `routing.http.preserve_host_header.enabled`: whether targets receive the `Host` header without a change.
    routing_http_preserve_host_header_enabled: Option<ServerDefault<bool>>,
    /// `routing.http.x_amzn_tls_version_and_cipher_suite.enabled`: whether targets receive the headers
    /// `x-amzn-tls-version` and `x-amzn-tls-cipher-suite`.
    routing_http_x_amzn_tls_version_and_cipher_suite_enabled: Option<ServerDefault<bool>>,
    /// `routing.http.xff_client_port.enabled`: whether the `X-Forwarded-For` header has the client's source port.
    routing_http_xff_client_port_enabled: Option<ServerDefault<bool>>,
    /// `routing.http.xff_header_processing.mode`: what happens to the `X-Forwarded-For` header: `append` (AWS's
    /// default), `preserve` or `remove`.
    routing_http_xff_header_processing_mode: Option<ServerDefault<String>>,
    /// `routing.http2.enabled`: whether clients can use HTTP/2. AWS's default is true.
    routing_http2_enabled: Option<ServerDefault<bool>>,
    /// `waf.fail_open.enabled`: whether requests pass while AWS WAF cannot be reached to evaluate the web ACL.
    waf_fail_open_enabled: Option<ServerDefault<bool>>,
    /// `zonal_shift.config.enabled`: whether zonal shift is enabled.
    zonal_shift_config_enabled: Option<ServerDefault<bool>>,
}

/// The status of a LoadBalancer: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancerStatus {
    /// The load balancer's ARN; also its id.
    arn: String,
    /// The DNS name that clients resolve.
    dns_name: Option<String>,
    /// The hosted zone of the DNS name, for alias records.
    canonical_hosted_zone_id: Option<String>,
    /// `app/<name>/<id>`: the value of the `LoadBalancer` dimension in its metrics.
    full_name: String,
}

/// The keys of the attributes.
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
    /// It has an ARN and a DNS name from the start, and accepts listeners while it is being provisioned.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules::limit(32);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let mut found = vec![];
        for balancer in load_balancers(aws, scope).await?.iter() {
            let live = live(balancer)?;
            let requested = is_requested(scope, &live.id, &live.name, &live.spec);
            if requested || scope.is_candidate(&live.name) {
                found.push((live, requested));
            }
        }
        let ids: Vec<String> = found.iter().map(|(live, _)| live.id.clone()).collect();
        let mut tags = tags_of(aws, scope, &ids).await?;
        let mut complete = vec![];
        for (mut live, requested) in found {
            live.tags = tags.remove(&live.id).unwrap_or_default();
            // The attributes of a foreign load balancer with a name of ours do not matter: its name is already in use.
            if requested || scope.is_owned(&live.tags) {
                let describe = elbv2(aws).describe_load_balancer_attributes().load_balancer_arn(&live.id);
                let Some(output) = describe.send().await.or_absent()? else { continue };
                let pairs = output.attributes.unwrap_or_default();
                live.spec.attributes = Some(ServerDefault(attributes(pairs.iter().map(|a| (a.key(), a.value())))?));
            }
            complete.push(live);
        }
        Ok(complete)
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
            .set_tags(sdk_tags(&desired.tags))
            .send()
            .await?;
        let missing = || Error::incomplete("elasticloadbalancingv2.CreateLoadBalancer", "loadBalancers");
        let balancer = output.load_balancers.unwrap_or_default().pop().ok_or_else(missing)?;
        Ok(live(&balancer)?.tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let LoadBalancer { r#type: _, scheme: _, ip_address_type, subnets, security_groups, attributes } =
            &desired.spec;
        // The security groups are first, because they restrict access. The subnets precede the address type, because
        // `dualstack` needs subnets with IPv6.
        if desired.changed(LoadBalancer::SECURITY_GROUPS) {
            let groups = security_groups.as_ref().map(texts).unwrap_or_default();
            let set = elbv2(aws).set_security_groups().load_balancer_arn(&live.id);
            set.set_security_groups(Some(groups)).send().await?;
        }
        if desired.changed(LoadBalancer::SUBNETS) {
            let set = elbv2(aws).set_subnets().load_balancer_arn(&live.id);
            set.set_subnets(Some(texts(subnets))).send().await?;
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

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

/// Returns all load balancers of the region, listed once per refresh: listeners are found through them.
pub(crate) async fn load_balancers(aws: &Aws, scope: &Scope) -> Result<Arc<Vec<sdk::LoadBalancer>>> {
    aws.once(scope, "elbv2.loadBalancers", || async {
        let pages = elbv2(aws).describe_load_balancers().into_paginator().items().send();
        Ok(all(pages).await?)
    })
    .await
}

fn texts<K>(references: &BTreeSet<Ref<K>>) -> Vec<String> {
    references.iter().map(|reference| reference.as_str().to_owned()).collect()
}

/// Reads a load balancer from a list response, which has neither tags nor attributes.
fn live(balancer: &sdk::LoadBalancer) -> Result<Live<LoadBalancer>> {
    let arn = balancer.load_balancer_arn.clone();
    let arn =
        arn.ok_or_else(|| Error::incomplete("elasticloadbalancingv2.DescribeLoadBalancers", "loadBalancerArn"))?;
    let groups: BTreeSet<_> = balancer.security_groups().iter().map(|id| Ref::new(id.as_str())).collect();
    let spec = LoadBalancer {
        r#type: balancer.r#type.as_ref().map(|t| t.as_str().to_owned()),
        scheme: balancer.scheme.as_ref().map(|s| s.as_str().to_owned()),
        ip_address_type: balancer.ip_address_type.as_ref().map(|t| ServerDefault(t.as_str().to_owned())),
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
    use super::super::tests::check_keys;
    use super::*;

    #[test]
    fn every_attribute_has_a_key() {
        check_keys::<LoadBalancerAttributes>(&KEYS);
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
