//! Conversion of health checks to the types of Route 53 and back.

use std::collections::BTreeSet;

use aws_sdk_route53::types as sdk;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::Live;
use holdfast_core::types::{Arn, Ref, ServerDefault};

use super::spec::{AlarmIdentifier, HealthCheck, HealthCheckStatus};

/// Returns the configuration of a health check.
pub(super) fn config(spec: &HealthCheck) -> Result<sdk::HealthCheckConfig> {
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
    } = spec;
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
    Ok(config.build()?)
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

/// Returns a health check that Route 53 returned, without its tags.
pub(super) fn live(partition: &str, check: &sdk::HealthCheck) -> Result<Live<HealthCheck>> {
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
