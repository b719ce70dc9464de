//! The spec of a health check.

use std::collections::BTreeSet;

use aws_sdk_route53::types as sdk;
use holdfast_base::names::Alarm;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Name, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

/// A Route 53 health check of an endpoint, an alarm or a group of other health checks, for records and alarms.
///
/// The physical name is the tag `Name`. The CloudWatch metrics of health checks are in us-east-1. A health check
/// accepts ten tags. Holdfast's owner tags and `Name` take seven of them. The caller reference records the owner and
/// has at most 64 characters, so the stack, the environment and the name can together have about 40 characters.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthCheck {
    /// The type.
    #[spec(immutable, one_of = sdk::HealthCheckType)]
    pub(super) r#type: String,
    /// The endpoint's domain name. `null` for none, which is valid only with `ipAddress`.
    #[spec(length = ..=255)]
    pub(super) fully_qualified_domain_name: Option<String>,
    /// The endpoint's IP address. Without it, Route 53 resolves the domain name to an IPv4 address.
    #[spec(length = ..=45)]
    pub(super) ip_address: Option<ServerDefault<String>>,
    /// The endpoint's port. Without this field it is 80, or 443 for HTTPS.
    #[spec(range = 1..=65535)]
    pub(super) port: Option<ServerDefault<i32>>,
    /// The path that Route 53 requests, as in `/health`. `null` for `/`.
    #[spec(length = ..=255)]
    pub(super) resource_path: Option<String>,
    /// The string that must occur in the first 5,120 bytes of the response body. For the two `_STR_MATCH` types.
    #[spec(length = ..=255)]
    pub(super) search_string: Option<ServerDefault<String>>,
    /// The seconds between two requests of one health checker: 30 (AWS's default) or 10, which costs more.
    #[spec(immutable, range = 10..=30, default = 30)]
    pub(super) request_interval: Option<ServerDefault<i32>>,
    /// The number of consecutive health checks that an endpoint must pass or fail to change its status: 1 to 10. AWS's
    /// default is 3.
    #[spec(range = 1..=10, default = 3)]
    pub(super) failure_threshold: Option<ServerDefault<i32>>,
    /// Whether Route 53 measures the latency of the endpoint. The console then shows latency graphs.
    #[spec(immutable)]
    pub(super) measure_latency: Option<ServerDefault<bool>>,
    /// Whether the status is inverted: a healthy endpoint counts as unhealthy, and an unhealthy endpoint as healthy.
    pub(super) inverted: Option<ServerDefault<bool>>,
    /// Whether the health check is disabled. A disabled health check counts as healthy, and still costs money.
    pub(super) disabled: Option<ServerDefault<bool>>,
    /// Whether Route 53 sends the domain name in the TLS handshake (SNI). AWS's default for the HTTPS types is true.
    #[serde(rename = "enableSNI")]
    pub(super) enable_sni: Option<ServerDefault<bool>>,
    /// The regions of the health checkers: at least three. `null` for all.
    #[spec(one_of = sdk::HealthCheckRegion, items = 3..=64)]
    pub(super) regions: Option<BTreeSet<String>>,
    /// The number of child health checks that must be healthy. For `CALCULATED`.
    #[spec(range = 0..=256)]
    pub(super) health_threshold: Option<ServerDefault<i32>>,
    /// The child health checks of a `CALCULATED` health check: at most 255.
    #[spec(items = ..=255)]
    pub(super) child_health_checks: Option<BTreeSet<Ref<HealthCheck>>>,
    /// The alarm that a `CLOUDWATCH_METRIC` health check follows. Route 53 copies the alarm's settings when the health
    /// check is created or updated, and does not follow later changes of the alarm. After a change of the alarm, update
    /// the health check too
    /// (<https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/health-checks-creating-values.html>).
    pub(super) alarm_identifier: Option<AlarmIdentifier>,
    /// The status while the alarm has insufficient data.
    #[spec(one_of = sdk::InsufficientDataHealthStatus)]
    pub(super) insufficient_data_health_status: Option<ServerDefault<String>>,
    /// The ARN of the routing control that a `RECOVERY_CONTROL` health check follows.
    #[spec(immutable, default = null)]
    pub(super) routing_control_arn: Option<Arn>,
}

/// The alarm that a health check follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlarmIdentifier {
    /// The alarm: a metric alarm of standard resolution.
    pub(super) name: Ref<Alarm, Name>,
    /// The region of the alarm, as in `us-east-1`.
    #[spec(one_of = sdk::CloudWatchRegion)]
    pub(super) region: String,
}

/// The read-only attributes of a HealthCheck.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthCheckStatus {
    /// The ARN of the health check.
    pub(super) arn: String,
}
