//! TargetGroup: where a load balancer sends requests, and how it tells who is healthy.

use aws_sdk_elasticloadbalancingv2::types::{self as sdk, TargetGroupAttribute};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each, is_asked_for};
use holdfast_base::names::Vpc;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{attribute_changes, attributes, elbv2, full_name, sdk_tags, tag, tags_of};

/// A group of targets of a load balancer. An ECS service registers its tasks in it; Holdfast does not
/// touch the targets. Its name has at most 32 letters, digits and hyphens.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroup {
    /// Whom it takes: `ip` (Fargate tasks and others with an address of their own), `instance` (AWS's
    /// default), `lambda` or `alb`.
    #[spec(immutable)]
    target_type: Option<String>,
    /// How requests reach the targets: `HTTP` or `HTTPS` behind an application load balancer; `TCP`, `TLS`,
    /// `UDP`, `TCP_UDP`, `QUIC` or `TCP_QUIC` behind a network load balancer; `GENEVE`. Not for `lambda`.
    #[spec(immutable)]
    protocol: Option<String>,
    /// `HTTP1` (AWS's default), `HTTP2` or `GRPC`; with `HTTP` and `HTTPS` only.
    #[spec(immutable)]
    protocol_version: Option<String>,
    /// The port of targets that are registered without one of their own. Not for `lambda`.
    #[spec(immutable)]
    port: Option<i32>,
    /// The network of the targets. Not for `lambda`.
    #[spec(immutable)]
    vpc: Option<Ref<Vpc>>,
    /// `ipv4` (AWS's default) or `ipv6`.
    #[spec(immutable)]
    ip_address_type: Option<String>,
    /// Whether health is checked; only for `lambda` can it be off, and there it is by default.
    health_check_enabled: Option<Always<bool>>,
    /// `HTTP`, `HTTPS` or `TCP`. AWS's default is `HTTP`, behind a network load balancer `TCP`.
    health_check_protocol: Option<Always<String>>,
    /// A port, as a string, or `traffic-port` (AWS's default): the one that requests go to.
    health_check_port: Option<Always<String>>,
    /// The path that is asked for, by HTTP and HTTPS checks. AWS's default is `/`.
    health_check_path: Option<Always<String>>,
    /// Seconds between two checks of a target, 5 to 300. AWS's default is 30.
    health_check_interval_seconds: Option<Always<i32>>,
    /// Seconds without an answer that make a failed check, 2 to 120; below the interval. AWS's default is 5,
    /// behind a network load balancer 6 for HTTP and 10 otherwise.
    health_check_timeout_seconds: Option<Always<i32>>,
    /// Successful checks in a row that make a target healthy, 2 to 10. AWS's default is 5.
    healthy_threshold_count: Option<Always<i32>>,
    /// Failed checks in a row that make a target unhealthy, 2 to 10. AWS's default is 2.
    unhealthy_threshold_count: Option<Always<i32>>,
    /// The answers that count as healthy.
    matcher: Option<Always<Matcher>>,
    /// How it routes, drains and sticks. CreateTargetGroup takes none of it, so that it follows the create.
    attributes: Option<Always<TargetGroupAttributes>>,
}

/// The answers that count as healthy.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Matcher {
    /// HTTP codes: `200`, `200,202` or `200-299`. AWS's default is `200`, behind a network load balancer
    /// `200-399`.
    http_code: Option<String>,
    /// gRPC codes, for `GRPC`: `0`, `0,1` or `0-5`. AWS's default is `12`.
    grpc_code: Option<String>,
}

/// The attributes of a target group, each with AWS's key
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>).
/// What its load balancer or target type does not support is refused by AWS.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroupAttributes {
    /// `deregistration_delay.timeout_seconds`: how long a leaving target may finish its requests, 0 to 3600.
    /// AWS's default is 300.
    deregistration_delay_timeout_seconds: Option<Always<i32>>,
    /// `deregistration_delay.connection_termination.enabled`: whether connections are closed after that;
    /// network load balancers only.
    deregistration_delay_connection_termination_enabled: Option<Always<bool>>,
    /// `stickiness.enabled`: whether a client stays with its target.
    stickiness_enabled: Option<Always<bool>>,
    /// `stickiness.type`: `lb_cookie`, `app_cookie`; network load balancers: `source_ip`.
    stickiness_type: Option<Always<String>>,
    /// `stickiness.lb_cookie.duration_seconds`: 1 to 604800. AWS's default is 86400.
    stickiness_lb_cookie_duration_seconds: Option<Always<i32>>,
    /// `stickiness.app_cookie.cookie_name`: the application's cookie, for `app_cookie`.
    stickiness_app_cookie_cookie_name: Option<String>,
    /// `stickiness.app_cookie.duration_seconds`: 1 to 604800. AWS's default is 86400.
    stickiness_app_cookie_duration_seconds: Option<Always<i32>>,
    /// `load_balancing.algorithm.type`: `round_robin` (AWS's default), `least_outstanding_requests` or
    /// `weighted_random`.
    load_balancing_algorithm_type: Option<Always<String>>,
    /// `load_balancing.algorithm.anomaly_mitigation`: `on` or `off`; with `weighted_random` only.
    load_balancing_algorithm_anomaly_mitigation: Option<Always<String>>,
    /// `load_balancing.cross_zone.enabled`: `true`, `false` (as strings) or
    /// `use_load_balancer_configuration` (AWS's default).
    load_balancing_cross_zone_enabled: Option<Always<String>>,
    /// `slow_start.duration_seconds`: over how long a new target's share grows, 30 to 900; 0 is off.
    slow_start_duration_seconds: Option<Always<i32>>,
    /// `preserve_client_ip.enabled`: network load balancers only.
    preserve_client_ip_enabled: Option<Always<bool>>,
    /// `proxy_protocol_v2.enabled`: network load balancers only.
    proxy_protocol_v2_enabled: Option<Always<bool>>,
}

/// What only AWS knows of a TargetGroup.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroupStatus {
    /// Its ARN; also its id.
    arn: String,
    /// `targetgroup/<name>/<id>`: the `TargetGroup` dimension of its metrics, and, after the load balancer's
    /// full name and a slash, the resource label of a scaling policy on requests per target.
    full_name: String,
}

/// Each attribute's key.
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
    /// Listeners need its ARN; its attributes can come later.
    const EARLY: bool = true;
    const NAMING: Naming = Naming::limit(32);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = elbv2(aws).describe_target_groups().into_paginator().items().send();
        let mut found = vec![];
        for group in pages.collect::<std::result::Result<Vec<_>, _>>().await? {
            let live = live(&group)?;
            let asked_for = is_asked_for(scope, &live.id, &live.name, &live.spec);
            if asked_for || scope.is_candidate(&live.name) {
                found.push((live, asked_for));
            }
        }
        let ids: Vec<String> = found.iter().map(|(live, _)| live.id.clone()).collect();
        let mut tags = tags_of(aws, scope, &ids).await?;
        let found = found.into_iter().map(|(live, asked_for)| {
            let tags = tags.remove(&live.id).unwrap_or_default();
            (live.tags(tags), asked_for)
        });
        each(found, |(mut live, asked_for)| async move {
            // Somebody else's, with a name of ours: that it is there is all that matters.
            if asked_for || scope.is_owned(&live.tags) {
                let ask = elbv2(aws).describe_target_group_attributes().target_group_arn(&live.id);
                let Some(answer) = ask.send().await.or_absent()? else { return Ok(None) };
                let pairs = answer.attributes.unwrap_or_default();
                live.spec.attributes = Some(Always(attributes(pairs.iter().map(|a| (a.key(), a.value())))?));
            }
            Ok(Some(live))
        })
        .await
    }

    /// AWS answers a second create with the same name and settings with the first group; a foreign one is
    /// never reached so, because `observe` shows whoever has the name.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let TargetGroup { attributes: _, target_type, protocol, protocol_version, port, vpc, ip_address_type, .. } =
            &desired.spec;
        let spec = &desired.spec;
        let made = elbv2(aws)
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
        let group = made.target_groups.unwrap_or_default().pop().ok_or_else(missing)?;
        Ok(live(&group)?.tags(desired.tags.clone()).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
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
        if checks || changed("matcher") {
            // Only what differs: a group refuses even an unchanged matcher where its check has none.
            let number = |field: &str, value: &Option<Always<i32>>| value.map(|n| n.0).filter(|_| changed(field));
            let text =
                |field: &str, value: &Option<Always<String>>| value.as_deref().cloned().filter(|_| changed(field));
            elbv2(aws)
                .modify_target_group()
                .target_group_arn(&live.id)
                .set_health_check_enabled(health_check_enabled.map(|on| on.0).filter(|_| changed("healthCheckEnabled")))
                .set_health_check_protocol(
                    text("healthCheckProtocol", health_check_protocol).map(|p| p.as_str().into()),
                )
                .set_health_check_port(text("healthCheckPort", health_check_port))
                .set_health_check_path(text("healthCheckPath", health_check_path))
                .set_health_check_interval_seconds(number("healthCheckIntervalSeconds", health_check_interval_seconds))
                .set_health_check_timeout_seconds(number("healthCheckTimeoutSeconds", health_check_timeout_seconds))
                .set_healthy_threshold_count(number("healthyThresholdCount", healthy_threshold_count))
                .set_unhealthy_threshold_count(number("unhealthyThresholdCount", unhealthy_threshold_count))
                .set_matcher(codes.as_deref().map(matcher).filter(|_| changed("matcher")))
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
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        elbv2(aws).delete_target_group().target_group_arn(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

fn matcher(codes: &Matcher) -> sdk::Matcher {
    let Matcher { http_code, grpc_code } = codes;
    sdk::Matcher::builder().set_http_code(http_code.clone()).set_grpc_code(grpc_code.clone()).build()
}

/// The group as the list tells it: without tags and attributes.
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
        health_check_enabled: group.health_check_enabled.map(Always),
        health_check_protocol: group.health_check_protocol.as_ref().map(|p| Always(p.as_str().to_owned())),
        health_check_port: group.health_check_port.clone().map(Always),
        health_check_path: group.health_check_path.clone().map(Always),
        health_check_interval_seconds: group.health_check_interval_seconds.map(Always),
        health_check_timeout_seconds: group.health_check_timeout_seconds.map(Always),
        healthy_threshold_count: group.healthy_threshold_count.map(Always),
        unhealthy_threshold_count: group.unhealthy_threshold_count.map(Always),
        matcher: group
            .matcher
            .as_ref()
            .map(|m| Always(Matcher { http_code: m.http_code.clone(), grpc_code: m.grpc_code.clone() })),
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
    fn every_attribute_has_its_key() {
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
        assert_eq!((live.stickiness_enabled, live.slow_start_duration_seconds), (Some(Always(true)), Some(Always(30))));
        let wanted = read(&[("stickiness.enabled", "true"), ("slow_start.duration_seconds", "60")])?;
        assert_eq!(
            attribute_changes(&KEYS, Some(&live), Some(&wanted)),
            [("stickiness.app_cookie.cookie_name", String::new()), ("slow_start.duration_seconds", "60".into())]
        );
        Ok(())
    }

    #[test]
    fn a_live_group_tells_its_full_name() -> Result<()> {
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/web/0a";
        let live = live(&sdk::TargetGroup::builder().target_group_arn(arn).target_group_name("web").build())?;
        assert_eq!((live.name.as_str(), live.status.full_name.as_str()), ("web", "targetgroup/web/0a"));
        Ok(())
    }
}
