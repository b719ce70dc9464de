//! TargetGroup: the targets of a load balancer, and their health checks.

mod spec;

use aws_sdk_elasticloadbalancingv2::types::{self as sdk, TargetGroupAttribute};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::{all, text};
use holdfast_base::wanted::each;
use holdfast_core::schema::relation::{
    Condition::{Absent, AtLeast, Is, Stated},
    Demand::{AtMostOne, Exceeds, Excludes, Needs, OneOf, Range},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Ref, ServerDefault};
use holdfast_engine::cloud::Scope;

use super::{Elbv2Tags, attribute_changes, attributes, elbv2, full_name, sdk_tags, wanted};
pub(crate) use spec::TargetGroup;
use spec::{KEYS, Matcher, TargetGroupStatus};

impl Kind for TargetGroup {
    type Status = TargetGroupStatus;
    type Owner = TagOnCreate<Elbv2Tags>;
    const TIER: Tier = Tier::Compute;
    /// Listeners need only its ARN. Its attributes can be set later.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules {
        form: (r"[A-Za-z0-9](-?[A-Za-z0-9])*", "has letters, digits and single hyphens between them"),
        ..NamingRules::limit(32)
    };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html
        demand(Needs("protocol")).when(&[Is("targetType", &["alb", "instance", "ip"])]),
        demand(Needs("port")).when(&[Is("targetType", &["alb", "instance", "ip"])]),
        demand(Needs("vpc")).when(&[Is("targetType", &["alb", "instance", "ip"])]),
        demand(Needs("protocol")).when(&[Absent("targetType")]),
        demand(Needs("port")).when(&[Absent("targetType")]),
        demand(Needs("vpc")).when(&[Absent("targetType")]),
        demand(Excludes("protocol")).when(&[Is("targetType", &["lambda"])]),
        demand(Excludes("port")).when(&[Is("targetType", &["lambda"])]),
        demand(Excludes("vpc")).when(&[Is("targetType", &["lambda"])]),
        demand(OneOf("protocol", &["HTTP", "HTTPS"])).when(&[Stated("protocolVersion")]),
        demand(OneOf("protocol", &["TCP"])).when(&[Is("targetType", &["alb"])]),
        demand(Excludes("healthCheckPath")).when(&[Is("healthCheckProtocol", &["TCP"])]),
        demand(Exceeds("healthCheckIntervalSeconds", "healthCheckTimeoutSeconds", 1))
            .when(&[Is("protocol", &["HTTP", "HTTPS"])]),
        demand(AtMostOne(&["httpCode", "grpcCode"])).at("matcher"),
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html
        demand(Range("slowStartDurationSeconds", Some(30), Some(900)))
            .when(&[AtLeast("slowStartDurationSeconds", 1)])
            .at("attributes"),
        demand(Needs("stickinessAppCookieCookieName"))
            .when(&[Is("stickinessType", &["app_cookie"]), Is("stickinessEnabled", &["true"])])
            .at("attributes"),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let pages = elbv2(aws).describe_target_groups().into_paginator().items().send();
        let listed = all(pages).await?.iter().map(live).collect::<Result<Vec<_>>>()?;
        each(wanted(aws, scope, listed).await?, |(mut live, want)| async move {
            // The attributes of a foreign target group with a name of ours do not matter: its name is already in use.
            if want.fields() {
                let describe = elbv2(aws).describe_target_group_attributes().target_group_arn(&live.id);
                let Some(output) = describe.send().await.or_absent()? else { return Ok(None) };
                let pairs = output.attributes().iter().map(|a| (a.key(), a.value()));
                live.spec.attributes = Some(ServerDefault(attributes(pairs)?));
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
            .set_vpc_id(vpc.clone().map(String::from))
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
            .set_tags(Some(sdk_tags(&desired.tags)?))
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
        // Only changed fields are sent: AWS refuses even an unchanged matcher for a health check without one.
        if desired.changed_besides(&[TargetGroup::ATTRIBUTES]) {
            let number = |field, value: &Option<ServerDefault<i32>>| desired.if_changed(field, value.map(|n| n.0));
            let text =
                |field, value: &Option<ServerDefault<String>>| desired.if_changed(field, value.clone().map(|t| t.0));
            let enabled = desired.if_changed(TargetGroup::HEALTH_CHECK_ENABLED, health_check_enabled.map(|on| on.0));
            let protocol = text(TargetGroup::HEALTH_CHECK_PROTOCOL, health_check_protocol);
            let interval = number(TargetGroup::HEALTH_CHECK_INTERVAL_SECONDS, health_check_interval_seconds);
            let timeout = number(TargetGroup::HEALTH_CHECK_TIMEOUT_SECONDS, health_check_timeout_seconds);
            let unhealthy = number(TargetGroup::UNHEALTHY_THRESHOLD_COUNT, unhealthy_threshold_count);
            elbv2(aws)
                .modify_target_group()
                .target_group_arn(&live.id)
                .set_health_check_enabled(enabled)
                .set_health_check_protocol(protocol.map(|protocol| protocol.as_str().into()))
                .set_health_check_port(text(TargetGroup::HEALTH_CHECK_PORT, health_check_port))
                .set_health_check_path(text(TargetGroup::HEALTH_CHECK_PATH, health_check_path))
                .set_health_check_interval_seconds(interval)
                .set_health_check_timeout_seconds(timeout)
                .set_healthy_threshold_count(number(TargetGroup::HEALTHY_THRESHOLD_COUNT, healthy_threshold_count))
                .set_unhealthy_threshold_count(unhealthy)
                .set_matcher(desired.if_changed(TargetGroup::MATCHER, codes.as_deref().map(matcher)))
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
        target_type: text(&group.target_type),
        protocol: text(&group.protocol),
        protocol_version: group.protocol_version.clone(),
        port: group.port,
        vpc: group.vpc_id.clone().map(Ref::new),
        ip_address_type: text(&group.ip_address_type),
        health_check_enabled: group.health_check_enabled.map(ServerDefault),
        health_check_protocol: text(&group.health_check_protocol).map(ServerDefault),
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
    use super::spec::TargetGroupAttributes;
    use super::*;
    use crate::elbv2::tests::check_keys;

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
