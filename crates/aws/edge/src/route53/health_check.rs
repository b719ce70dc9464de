//! HealthCheck: the health of an endpoint, an alarm or a group of other checks, for records and alarms.

use std::collections::BTreeSet;

use aws_sdk_route53::types::{self as sdk, ResettableElementName, TagResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::names::Alarm;
use holdfast_base::owner_marker;
use holdfast_base::sdk::all;
use holdfast_base::tagging::Tags;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Ownership, Tier};
use holdfast_core::types::{Arn, Name, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{change_tags, owned, partition, route53, tags};

/// A Route 53 health check of an endpoint, an alarm or a group of other health checks, for records and alarms.
///
/// The physical name is the tag `Name`. The CloudWatch metrics of health checks are in us-east-1. A health check
/// accepts ten tags. Holdfast's owner tags and `Name` take seven of them. The caller reference records the owner and
/// has at most 64 characters, so the stack, the environment and the name can together have about 40 characters.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthCheck {
    /// The type: `HTTP`, `HTTPS`, `HTTP_STR_MATCH`, `HTTPS_STR_MATCH`, `TCP`, `CALCULATED`, `CLOUDWATCH_METRIC` or
    /// `RECOVERY_CONTROL`.
    #[spec(immutable)]
    r#type: String,
    /// The endpoint's domain name. `null` for none, which is valid only with `ipAddress`.
    fully_qualified_domain_name: Option<String>,
    /// The endpoint's IP address. Without it, Route 53 resolves the domain name to an IPv4 address.
    ip_address: Option<ServerDefault<String>>,
    /// The endpoint's port. Without this field it is 80, or 443 for HTTPS.
    port: Option<ServerDefault<i32>>,
    /// The path that Route 53 requests, as in `/health`. `null` for `/`.
    resource_path: Option<String>,
    /// The string that must occur in the first 5,120 bytes of the response body. For the two `_STR_MATCH` types.
    search_string: Option<ServerDefault<String>>,
    /// The seconds between two requests of one health checker: 30 (AWS's default) or 10, which costs more.
    #[spec(immutable)]
    request_interval: Option<ServerDefault<i32>>,
    /// The number of consecutive health checks that an endpoint must pass or fail to change its status: 1 to 10. AWS's
    /// default is 3.
    failure_threshold: Option<ServerDefault<i32>>,
    /// Whether Route 53 measures the latency of the endpoint. The console then shows latency graphs.
    #[spec(immutable)]
    measure_latency: Option<ServerDefault<bool>>,
    /// Whether the status is inverted: a healthy endpoint counts as unhealthy, and an unhealthy endpoint as healthy.
    inverted: Option<ServerDefault<bool>>,
    /// Whether the health check is disabled. A disabled health check counts as healthy, and still costs money.
    disabled: Option<ServerDefault<bool>>,
    /// Whether Route 53 sends the domain name in the TLS handshake (SNI). AWS's default for the HTTPS types is true.
    #[serde(rename = "enableSNI")]
    enable_sni: Option<ServerDefault<bool>>,
    /// The regions of the health checkers: at least three of `us-east-1`, `us-west-1`, `us-west-2`, `eu-west-1`,
    /// `ap-southeast-1`, `ap-southeast-2`, `ap-northeast-1` and `sa-east-1`. `null` for all.
    regions: Option<BTreeSet<String>>,
    /// The number of child health checks that must be healthy. For `CALCULATED`.
    health_threshold: Option<ServerDefault<i32>>,
    /// The child health checks of a `CALCULATED` health check: at most 255.
    child_health_checks: Option<BTreeSet<Ref<HealthCheck>>>,
    /// The alarm that a `CLOUDWATCH_METRIC` health check follows. Route 53 copies the alarm's settings when the health
    /// check is created or updated, and does not follow later changes of the alarm. After a change of the alarm, update
    /// the health check too
    /// (<https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html>).
    alarm_identifier: Option<AlarmIdentifier>,
    /// The status while the alarm has insufficient data: `Healthy`, `Unhealthy` or `LastKnownStatus`.
    insufficient_data_health_status: Option<ServerDefault<String>>,
    /// The ARN of the routing control that a `RECOVERY_CONTROL` health check follows.
    #[spec(immutable)]
    routing_control_arn: Option<Arn>,
}

/// The alarm that a health check follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlarmIdentifier {
    /// The alarm: a metric alarm of standard resolution.
    name: Ref<Alarm, Name>,
    /// The region of the alarm, as in `us-east-1`.
    region: String,
}

/// The read-only attributes of a HealthCheck.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthCheckStatus {
    /// The ARN of the health check.
    arn: String,
}

impl Kind for HealthCheck {
    type Status = HealthCheckStatus;
    const TIER: Tier = Tier::Edge;
    const OWNERSHIP: Ownership = Ownership::CallerReference;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    const GLOBAL: bool = true;

    /// Finds the owned and requested health checks.
    ///
    /// The list returns everything except tags, which cost one call for ten health checks. The list alone identifies
    /// the health checks of other Holdfast stacks and of AWS services; their tags are not read.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let listed = route53(aws).list_health_checks().into_paginator().items().send();
        let mut listed = all(listed).await?;
        listed.retain(|check| {
            let owner = owner_marker::read::<Self>(&check.caller_reference);
            let elsewhere = check.linked_service.is_some() || owner.is_some_and(|owner| !scope.is_owned(&owner));
            !elsewhere || scope.ids.contains(&check.id) || !scope.lookups.is_empty()
        });
        let ids: Vec<String> = listed.iter().map(|check| check.id.clone()).collect();
        let tags = tags(aws, &TagResourceType::Healthcheck, &ids).await?;
        let mut found = vec![];
        for check in listed {
            let tags = owned::<Self>(tags.get(&check.id).cloned().unwrap_or_default(), &check.caller_reference);
            if scope.ids.contains(&check.id) || scope.is_owned(&tags) || !scope.lookups.is_empty() {
                let mut live = live(partition(aws), &check)?;
                live.name = tags.get("Name").cloned().unwrap_or_default();
                found.push(live.tags(tags).keep(check));
            }
        }
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let HealthCheck {
            r#type,
            fully_qualified_domain_name,
            ip_address,
            port,
            resource_path,
            search_string,
            request_interval,
            failure_threshold,
            measure_latency,
            inverted,
            disabled,
            enable_sni,
            regions,
            health_threshold,
            child_health_checks,
            alarm_identifier,
            insufficient_data_health_status,
            routing_control_arn,
        } = &desired.spec;
        let config = sdk::HealthCheckConfig::builder()
            .r#type(r#type.as_str().into())
            .set_fully_qualified_domain_name(fully_qualified_domain_name.clone())
            .set_ip_address(ip_address.as_ref().map(|address| address.0.clone()))
            .set_port(port.map(|port| port.0))
            .set_resource_path(resource_path.clone())
            .set_search_string(search_string.as_ref().map(|text| text.0.clone()))
            .set_request_interval(request_interval.map(|seconds| seconds.0))
            .set_failure_threshold(failure_threshold.map(|count| count.0))
            .set_measure_latency(measure_latency.map(|on| on.0))
            .set_inverted(inverted.map(|on| on.0))
            .set_disabled(disabled.map(|on| on.0))
            .set_enable_sni(enable_sni.map(|on| on.0))
            .set_regions(regions.as_ref().filter(|all| !all.is_empty()).map(sdk_regions))
            .set_health_threshold(health_threshold.map(|count| count.0))
            .set_child_health_checks(child_health_checks.as_ref().map(ids))
            .set_alarm_identifier(alarm_identifier.as_ref().map(sdk_alarm).transpose()?)
            .set_insufficient_data_health_status(
                insufficient_data_health_status.as_ref().map(|status| status.0.as_str().into()),
            )
            .set_routing_control_arn(routing_control_arn.as_ref().map(|arn| arn.0.clone()));
        let output = route53(aws)
            .create_health_check()
            // A caller reference has at most 64 characters
            // (https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHealthCheck.html).
            .caller_reference(owner_marker::reference::<Self>(&desired.tags, &desired.token, 64)?)
            .health_check_config(config.build()?)
            .send()
            .await?;
        let check = output.health_check.ok_or_else(|| Error::incomplete("route53.CreateHealthCheck", "healthCheck"))?;
        // Tags are set after the create. Until then the caller reference names the owner.
        let tags = owned::<Self>(Tags::new(), &check.caller_reference);
        Ok(match live(partition(aws), &check) {
            Ok(live) => live.tags(tags).keep(check).into(),
            Err(_) => Created::unobserved(check.id),
        })
    }

    /// Writes the changed fields. UpdateHealthCheck keeps the fields that the call leaves out. Four fields can be
    /// reset.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let HealthCheck {
            r#type: _,
            fully_qualified_domain_name,
            ip_address,
            port,
            resource_path,
            search_string,
            request_interval: _,
            failure_threshold,
            measure_latency: _,
            inverted,
            disabled,
            enable_sni,
            regions,
            health_threshold,
            child_health_checks,
            alarm_identifier,
            insufficient_data_health_status,
            routing_control_arn: _,
        } = &desired.spec;
        let changed = |field: &str| desired.changed(field);
        let regions = regions.as_ref().filter(|all| !all.is_empty());
        let children = child_health_checks.as_ref().filter(|all| !all.is_empty());
        let reset = [
            (
                "fullyQualifiedDomainName",
                fully_qualified_domain_name.is_none(),
                ResettableElementName::FullyQualifiedDomainName,
            ),
            ("resourcePath", resource_path.is_none(), ResettableElementName::ResourcePath),
            ("regions", regions.is_none(), ResettableElementName::Regions),
            ("childHealthChecks", children.is_none(), ResettableElementName::ChildHealthChecks),
        ];
        let reset: Vec<_> =
            reset.into_iter().filter(|(field, is_empty, _)| *is_empty && changed(field)).map(|r| r.2).collect();
        route53(aws)
            .update_health_check()
            .health_check_id(&live.id)
            // AWS refuses the update if another client has changed the health check in the meantime.
            .health_check_version(live.raw::<sdk::HealthCheck>()?.health_check_version)
            .set_reset_elements(Some(reset).filter(|reset| !reset.is_empty()))
            .set_fully_qualified_domain_name(
                fully_qualified_domain_name.clone().filter(|_| changed(HealthCheck::FULLY_QUALIFIED_DOMAIN_NAME)),
            )
            .set_ip_address(
                ip_address.as_ref().filter(|_| changed(HealthCheck::IP_ADDRESS)).map(|address| address.0.clone()),
            )
            .set_port(port.filter(|_| changed(HealthCheck::PORT)).map(|port| port.0))
            .set_resource_path(resource_path.clone().filter(|_| changed(HealthCheck::RESOURCE_PATH)))
            .set_search_string(
                search_string.as_ref().filter(|_| changed(HealthCheck::SEARCH_STRING)).map(|text| text.0.clone()),
            )
            .set_failure_threshold(
                failure_threshold.filter(|_| changed(HealthCheck::FAILURE_THRESHOLD)).map(|count| count.0),
            )
            .set_inverted(inverted.filter(|_| changed(HealthCheck::INVERTED)).map(|on| on.0))
            .set_disabled(disabled.filter(|_| changed(HealthCheck::DISABLED)).map(|on| on.0))
            .set_enable_sni(enable_sni.filter(|_| changed(HealthCheck::ENABLE_S_N_I)).map(|on| on.0))
            .set_regions(regions.filter(|_| changed(HealthCheck::REGIONS)).map(sdk_regions))
            .set_health_threshold(
                health_threshold.filter(|_| changed(HealthCheck::HEALTH_THRESHOLD)).map(|count| count.0),
            )
            .set_child_health_checks(children.filter(|_| changed(HealthCheck::CHILD_HEALTH_CHECKS)).map(ids))
            .set_alarm_identifier(
                alarm_identifier
                    .as_ref()
                    .filter(|_| changed(HealthCheck::ALARM_IDENTIFIER))
                    .map(sdk_alarm)
                    .transpose()?,
            )
            .set_insufficient_data_health_status(
                insufficient_data_health_status
                    .as_ref()
                    .filter(|_| changed(HealthCheck::INSUFFICIENT_DATA_HEALTH_STATUS))
                    .map(|status| status.0.as_str().into()),
            )
            .send()
            .await?;
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        route53(aws).delete_health_check().health_check_id(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        change_tags(aws, TagResourceType::Healthcheck, &live.id, tags).await
    }
}

fn sdk_regions(regions: &BTreeSet<String>) -> Vec<sdk::HealthCheckRegion> {
    regions.iter().map(|region| region.as_str().into()).collect()
}

fn ids(checks: &BTreeSet<Ref<HealthCheck>>) -> Vec<String> {
    checks.iter().map(|check| check.as_str().to_owned()).collect()
}

fn sdk_alarm(alarm: &AlarmIdentifier) -> Result<sdk::AlarmIdentifier> {
    let AlarmIdentifier { name, region } = alarm;
    Ok(sdk::AlarmIdentifier::builder().name(name.as_str()).region(region.as_str().into()).build()?)
}

fn live(partition: &str, check: &sdk::HealthCheck) -> Result<Live<HealthCheck>> {
    let missing = || Error::incomplete("route53.ListHealthChecks", "healthCheckConfig");
    let config = check.health_check_config.clone().ok_or_else(missing)?;
    let regions: BTreeSet<String> = config.regions().iter().map(|region| region.as_str().to_owned()).collect();
    let children: BTreeSet<_> = config.child_health_checks().iter().map(|id| Ref::new(id.clone())).collect();
    let spec = HealthCheck {
        r#type: config.r#type.as_str().to_owned(),
        fully_qualified_domain_name: config.fully_qualified_domain_name,
        ip_address: config.ip_address.map(ServerDefault),
        port: config.port.map(ServerDefault),
        resource_path: config.resource_path.filter(|path| !path.is_empty()),
        search_string: config.search_string.map(ServerDefault),
        request_interval: config.request_interval.map(ServerDefault),
        failure_threshold: config.failure_threshold.map(ServerDefault),
        measure_latency: config.measure_latency.map(ServerDefault),
        inverted: config.inverted.map(ServerDefault),
        disabled: config.disabled.map(ServerDefault),
        enable_sni: config.enable_sni.map(ServerDefault),
        regions: Some(regions).filter(|regions| !regions.is_empty()),
        health_threshold: config.health_threshold.map(ServerDefault),
        child_health_checks: Some(children).filter(|children| !children.is_empty()),
        alarm_identifier: config
            .alarm_identifier
            .map(|alarm| AlarmIdentifier { name: Ref::new(alarm.name), region: alarm.region.as_str().to_owned() }),
        insufficient_data_health_status: config
            .insufficient_data_health_status
            .map(|status| ServerDefault(status.as_str().to_owned())),
        routing_control_arn: config.routing_control_arn.map(Arn),
    };
    let status = HealthCheckStatus { arn: format!("arn:{partition}:route53:::healthcheck/{}", check.id) };
    Ok(Live::new(&check.id, "", spec, status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_aws_leaves_out_are_none() {
        let config = sdk::HealthCheckConfig::builder().r#type("HTTPS".into()).port(443).resource_path("");
        let check = sdk::HealthCheck::builder().id("c1").caller_reference("x").health_check_version(1);
        let check = check.health_check_config(config.build().expect("a config")).build().expect("a check");
        let live = live("aws", &check).expect("it is whole");
        assert_eq!((live.spec.resource_path, live.spec.regions), (None, None));
        assert_eq!(live.spec.port, Some(ServerDefault(443)));
        assert_eq!(live.status.arn, "arn:aws:route53:::healthcheck/c1");
    }
}
