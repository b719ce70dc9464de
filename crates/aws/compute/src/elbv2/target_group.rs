//! TargetGroup: the targets of a load balancer, and their health checks.

use aws_sdk_elasticloadbalancingv2::types::{self as sdk, TargetGroupAttribute};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, each, is_requested};
use holdfast_base::names::Vpc;
use holdfast_base::sdk::all;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{attribute_changes, attributes, elbv2, full_name, sdk_tags, tag, tags_of};

/// A target group of a load balancer. An ECS service registers its tasks as targets; Holdfast does not manage the
/// targets. The name of the target group has at most 32 letters, digits and hyphens.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroup {
    /// The target type: `ip` (Fargate tasks and other targets with an IP address of their own), `instance` (AWS's
    /// default), `lambda` or `alb`.
    #[spec(immutable)]
    target_type: Option<String>,
    /// The protocol for requests to the targets: `HTTP` or `HTTPS` behind an application load balancer; `TCP`, `TLS`,
    /// `UDP`, `TCP_UDP`, `QUIC` or `TCP_QUIC` behind a network load balancer; `GENEVE` behind a gateway load balancer.
    /// Not for `lambda`.
    #[spec(immutable)]
    protocol: Option<String>,
    /// The protocol version: `HTTP1` (AWS's default), `HTTP2` or `GRPC`. Only with `HTTP` and `HTTPS`.
    #[spec(immutable)]
    protocol_version: Option<String>,
    /// The port of targets that are registered without a port of their own. Not for `lambda`.
    #[spec(immutable)]
    port: Option<i32>,
    /// The VPC of the targets. Not for `lambda`.
    #[spec(immutable)]
    vpc: Option<Ref<Vpc>>,
    /// The IP address type: `ipv4` (AWS's default) or `ipv6`.
    #[spec(immutable)]
    ip_address_type: Option<String>,
    /// Whether health checks are enabled. They can be disabled only for `lambda`, where they are disabled by default.
    health_check_enabled: Option<ServerDefault<bool>>,
    /// The protocol of health checks: `HTTP`, `HTTPS` or `TCP`. AWS's default is `HTTP`, or `TCP` behind a network load
    /// balancer.
    health_check_protocol: Option<ServerDefault<String>>,
    /// The port of health checks: a port number, as a string, or `traffic-port` (AWS's default), the port on which the
    /// target receives requests.
    health_check_port: Option<ServerDefault<String>>,
    /// The path of HTTP and HTTPS health checks. AWS's default is `/`.
    health_check_path: Option<ServerDefault<String>>,
    /// The seconds between two health checks of a target, 5 to 300. AWS's default is 30.
    health_check_interval_seconds: Option<ServerDefault<i32>>,
    /// The seconds without a response after which a health check fails, 2 to 120. It must be below the interval. AWS's
    /// default is 5, or behind a network load balancer 6 for HTTP and 10 otherwise.
    health_check_timeout_seconds: Option<ServerDefault<i32>>,
    /// The successful health checks in a row after which a target is healthy, 2 to 10. AWS's default is 5.
    healthy_threshold_count: Option<ServerDefault<i32>>,
    /// The failed health checks in a row after which a target is unhealthy, 2 to 10. AWS's default is 2.
    unhealthy_threshold_count: Option<ServerDefault<i32>>,
    /// The response codes that count as healthy.
    matcher: Option<ServerDefault<Matcher>>,
    /// The attributes: routing, deregistration and stickiness. CreateTargetGroup does not accept them; an update after
    /// the create sets them.
    attributes: Option<ServerDefault<TargetGroupAttributes>>,
}

/// The response codes that count as healthy.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Matcher {
    /// HTTP codes: `200`, `200,202` or `200-299`. AWS's default is `200`, or `200-399` behind a
    /// network load balancer.
    http_code: Option<String>,
    /// gRPC codes, for `GRPC`: `0`, `0,1` or `0-5`. AWS's default is `12`.
    grpc_code: Option<String>,
}

/// The attributes of a target group. Each description begins with AWS's key of the attribute
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>). AWS refuses
/// an attribute that the load balancer or the target type does not support.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroupAttributes {
    /// `deregistration_delay.timeout_seconds`: the deregistration delay in seconds, in which a target can finish its
    /// requests (connection draining). 0 to 3600; AWS's default is 300.
    deregistration_delay_timeout_seconds: Option<ServerDefault<i32>>,
    /// `deregistration_delay.connection_termination.enabled`: whether connections are closed after the deregistration
    /// delay; network load balancers only.
    deregistration_delay_connection_termination_enabled: Option<ServerDefault<bool>>,
    /// `stickiness.enabled`: whether sticky sessions are enabled, so that all requests of a client go to the same
    /// target.
    stickiness_enabled: Option<ServerDefault<bool>>,
    /// `stickiness.type`: `lb_cookie` or `app_cookie`; for network load balancers `source_ip`.
    stickiness_type: Option<ServerDefault<String>>,
    /// `stickiness.lb_cookie.duration_seconds`: the duration in seconds, 1 to 604800. AWS's default is 86400.
    stickiness_lb_cookie_duration_seconds: Option<ServerDefault<i32>>,
    /// `stickiness.app_cookie.cookie_name`: the name of the application's cookie, for `app_cookie`.
    stickiness_app_cookie_cookie_name: Option<String>,
    /// `stickiness.app_cookie.duration_seconds`: the duration in seconds, 1 to 604800. AWS's default is 86400.
    stickiness_app_cookie_duration_seconds: Option<ServerDefault<i32>>,
    /// `load_balancing.algorithm.type`: `round_robin` (AWS's default), `least_outstanding_requests` or
    /// `weighted_random`.
    load_balancing_algorithm_type: Option<ServerDefault<String>>,
    /// `load_balancing.algorithm.anomaly_mitigation`: `on` or `off`. Only with `weighted_random`.
    load_balancing_algorithm_anomaly_mitigation: Option<ServerDefault<String>>,
    /// `load_balancing.cross_zone.enabled`: `true`, `false` (as strings) or
    /// `use_load_balancer_configuration` (AWS's default).
    load_balancing_cross_zone_enabled: Option<ServerDefault<String>>,
    /// `slow_start.duration_seconds`: the slow start duration in seconds, in which the share of requests of a new
    /// target increases. 30 to 900; 0 disables slow start.
    slow_start_duration_seconds: Option<ServerDefault<i32>>,
    /// `preserve_client_ip.enabled`: whether targets receive the client's IP address; network load balancers only.
    preserve_client_ip_enabled: Option<ServerDefault<bool>>,
    /// `proxy_protocol_v2.enabled`: whether proxy protocol version 2 is used; network load balancers only.
    proxy_protocol_v2_enabled: Option<ServerDefault<bool>>,
}

/// The status of a TargetGroup: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroupStatus {
    /// The target group's ARN; also its id.
    arn: String,
    /// `targetgroup/<name>/<id>`: the value of the dimension `TargetGroup` in its metrics. The resource label of a
    /// scaling policy for requests per target is the full name of the load balancer, a slash, and this value.
    full_name: String,
}

/// The keys of the attributes.
const KEYS: [&str; 13] = [
    "deregistration_delay.timeout_seconds",
    "deregistration_delay.connection_termination.enabled",
    "stickiness.enabled",
    "stickiness.type",
    "stickiness.lb_cookie.duration_seconds",
    "stickiness.app_cookie.cookie_name",
    "stickiness.app_cookie.duration_seconds",
    "load_balancing.algorithm.type",
    "load_balancing.algorithm.anomaly_mitigation",
    "load_balancing.cross_zone.enabled",
    "slow_start.duration_seconds",
    "preserve_client_ip.enabled",
    "proxy_protocol_v2.enabled",
];

impl Kind for TargetGroup {
    type Status = TargetGroupStatus;
    const TIER: Tier = Tier::Compute;
    /// Listeners need only its ARN. Its attributes can be set later.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules::limit(32);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = elbv2(aws).describe_target_groups().into_paginator().items().send();
        let mut found = vec![];
        for group in all(pages).await? {
            let live = live(&group)?;
            let requested = is_requested(scope, &live.id, &live.name, &live.spec);
            if requested || scope.is_candidate(&live.name) {
                found.push((live, requested));
            }
        }
        let ids: Vec<String> = found.iter().map(|(live, _)| live.id.clone()).collect();
        let mut tags = tags_of(aws, scope, &ids).await?;
        let found = found.into_iter().map(|(live, requested)| {
            let tags = tags.remove(&live.id).unwrap_or_default();
            (live.tags(tags), requested)
        });
        each(found, |(mut live, requested)| async move {
            // The attributes of a foreign target group with a name of ours do not matter: its name is already in use.
            if requested || scope.is_owned(&live.tags) {
                let describe = elbv2(aws).describe_target_group_attributes().target_group_arn(&live.id);
                let Some(output) = describe.send().await.or_absent()? else { return Ok(None) };
                let pairs = output.attributes.unwrap_or_default();
                live.spec.attributes = Some(ServerDefault(attributes(pairs.iter().map(|a| (a.key(), a.value())))?));
            }
            Ok(Some(live))
        })
        .await
    }

    /// Creates the target group. A second create with the same name and settings returns the first group. It never
    /// returns a foreign one, because `observe` finds any target group with the name, whoever owns it.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let TargetGroup { attributes: _, target_type, protocol, protocol_version, port, vpc, ip_address_type, .. } =
            &desired.spec;
        let spec = &desired.spec;
        let output = elbv2(aws)
            .create_target_group()
            .name(&desired.name)
            .set_target_type(target_type.as_deref().map(Into::into))
            .set_protocol(protocol.as_deref().map(Into::into))
            .set_protocol_version(protocol_version.clone())
            .set_port(*port)
            .set_vpc_id(vpc.as_ref().map(|vpc| vpc.as_str().to_owned()))
            .set_ip_address_type(ip_address_type.as_deref().map(Into::into))
            .set_health_check_enabled(spec.health_check_enabled.map(|on| on.0))
            .set_health_check_protocol(spec.health_check_protocol.as_ref().map(|p| p.as_str().into()))
            .set_health_check_port(spec.health_check_port.as_deref().cloned())
            .set_health_check_path(spec.health_check_path.as_deref().cloned())
            .set_health_check_interval_seconds(spec.health_check_interval_seconds.map(|n| n.0))
            .set_health_check_timeout_seconds(spec.health_check_timeout_seconds.map(|n| n.0))
            .set_healthy_threshold_count(spec.healthy_threshold_count.map(|n| n.0))
            .set_unhealthy_threshold_count(spec.unhealthy_threshold_count.map(|n| n.0))
            .set_matcher(spec.matcher.as_deref().map(matcher))
            .set_tags(sdk_tags(&desired.tags))
            .send()
            .await?;
        let missing = || Error::incomplete("elasticloadbalancingv2.CreateTargetGroup", "targetGroups");
        let group = output.target_groups.unwrap_or_default().pop().ok_or_else(missing)?;
        Ok(live(&group)?.tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let TargetGroup {
            target_type: _,
            protocol: _,
            protocol_version: _,
            port: _,
            vpc: _,
            ip_address_type: _,
            health_check_enabled,
            health_check_protocol,
            health_check_port,
            health_check_path,
            health_check_interval_seconds,
            health_check_timeout_seconds,
            healthy_threshold_count,
            unhealthy_threshold_count,
            matcher: codes,
            attributes,
        } = &desired.spec;
        let changed = |field: &str| desired.changed(field);
        let checks = desired.changed.iter().any(|f| f.starts_with("health") || f.starts_with("unhealthy"));
        if checks || changed(TargetGroup::MATCHER) {
            // Only changed fields are sent: AWS refuses even an unchanged matcher for a health check without one.
            let number =
                |field: &str, value: &Option<ServerDefault<i32>>| value.map(|n| n.0).filter(|_| changed(field));
            let text = |field: &str, value: &Option<ServerDefault<String>>| {
                value.as_deref().cloned().filter(|_| changed(field))
            };
            elbv2(aws)
                .modify_target_group()
                .target_group_arn(&live.id)
                .set_health_check_enabled(
                    health_check_enabled.map(|on| on.0).filter(|_| changed(TargetGroup::HEALTH_CHECK_ENABLED)),
                )
                .set_health_check_protocol(
                    text("healthCheckProtocol", health_check_protocol).map(|p| p.as_str().into()),
                )
                .set_health_check_port(text("healthCheckPort", health_check_port))
                .set_health_check_path(text("healthCheckPath", health_check_path))
                .set_health_check_interval_seconds(number("healthCheckIntervalSeconds", health_check_interval_seconds))
                .set_health_check_timeout_seconds(number("healthCheckTimeoutSeconds", health_check_timeout_seconds))
                .set_healthy_threshold_count(number("healthyThresholdCount", healthy_threshold_count))
                .set_unhealthy_threshold_count(number("unhealthyThresholdCount", unhealthy_threshold_count))
                .set_matcher(codes.as_deref().map(matcher).filter(|_| changed(TargetGroup::MATCHER)))
                .send()
                .await?;
        }
        let changes = attribute_changes(&KEYS, live.spec.attributes.as_deref(), attributes.as_deref());
        if !changes.is_empty() {
            let changes = changes.into_iter().map(|(k, v)| TargetGroupAttribute::builder().key(k).value(v).build());
            let changes = Some(changes.collect());
            elbv2(aws)
                .modify_target_group_attributes()
                .target_group_arn(&live.id)
                .set_attributes(changes)
                .send()
                .await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        elbv2(aws).delete_target_group().target_group_arn(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

fn matcher(codes: &Matcher) -> sdk::Matcher {
    let Matcher { http_code, grpc_code } = codes;
    sdk::Matcher::builder().set_http_code(http_code.clone()).set_grpc_code(grpc_code.clone()).build()
}

/// Reads a target group from a list response, which has neither tags nor attributes.
fn live(group: &sdk::TargetGroup) -> Result<Live<TargetGroup>> {
    let arn = group.target_group_arn.clone();
    let arn = arn.ok_or_else(|| Error::incomplete("elasticloadbalancingv2.DescribeTargetGroups", "targetGroupArn"))?;
    let spec = TargetGroup {
        target_type: group.target_type.as_ref().map(|t| t.as_str().to_owned()),
        protocol: group.protocol.as_ref().map(|p| p.as_str().to_owned()),
        protocol_version: group.protocol_version.clone(),
        port: group.port,
        vpc: group.vpc_id.clone().map(Ref::new),
        ip_address_type: group.ip_address_type.as_ref().map(|t| t.as_str().to_owned()),
        health_check_enabled: group.health_check_enabled.map(ServerDefault),
        health_check_protocol: group.health_check_protocol.as_ref().map(|p| ServerDefault(p.as_str().to_owned())),
        health_check_port: group.health_check_port.clone().map(ServerDefault),
        health_check_path: group.health_check_path.clone().map(ServerDefault),
        health_check_interval_seconds: group.health_check_interval_seconds.map(ServerDefault),
        health_check_timeout_seconds: group.health_check_timeout_seconds.map(ServerDefault),
        healthy_threshold_count: group.healthy_threshold_count.map(ServerDefault),
        unhealthy_threshold_count: group.unhealthy_threshold_count.map(ServerDefault),
        matcher: group
            .matcher
            .as_ref()
            .map(|m| ServerDefault(Matcher { http_code: m.http_code.clone(), grpc_code: m.grpc_code.clone() })),
        attributes: None,
    };
    let status = TargetGroupStatus { arn: arn.clone(), full_name: full_name(&arn) };
    Ok(Live::new(arn, group.target_group_name.clone().unwrap_or_default(), spec, status))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_keys;
    use super::*;

    #[test]
    fn every_attribute_has_a_key() {
        check_keys::<TargetGroupAttributes>(&KEYS);
    }

    #[test]
    fn attributes_are_read_and_only_differences_are_sent() -> Result<()> {
        let read = |pairs: &[(&'static str, &'static str)]| {
            attributes::<TargetGroupAttributes>(pairs.iter().map(|(k, v)| (Some(*k), Some(*v))))
        };
        let cookie = ("stickiness.app_cookie.cookie_name", "session");
        let live =
            read(&[("stickiness.enabled", "true"), ("slow_start.duration_seconds", "30"), cookie, ("new", "x")])?;
        assert_eq!(
            (live.stickiness_enabled, live.slow_start_duration_seconds),
            (Some(ServerDefault(true)), Some(ServerDefault(30)))
        );
        let desired = read(&[("stickiness.enabled", "true"), ("slow_start.duration_seconds", "60")])?;
        assert_eq!(
            attribute_changes(&KEYS, Some(&live), Some(&desired)),
            [("stickiness.app_cookie.cookie_name", String::new()), ("slow_start.duration_seconds", "60".into())]
        );
        Ok(())
    }

    #[test]
    fn a_live_target_group_has_its_full_name_in_the_status() -> Result<()> {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/web/0a";
        let live = live(&sdk::TargetGroup::builder().target_group_arn(arn).target_group_name("web").build())?;
        assert_eq!((live.name.as_str(), live.status.full_name.as_str()), ("web", "targetgroup/web/0a"));
        Ok(())
    }
}
