//! The spec and the status of a TargetGroup.

use aws_sdk_elasticloadbalancingv2::types as sdk;
use holdfast_base::names::Vpc;
use holdfast_core::Spec;
use holdfast_core::types::{Ref, ServerDefault};
use serde::{Deserialize, Serialize};

/// A target group of a load balancer. An ECS service registers its tasks as targets; Holdfast does not manage the
/// targets. The name of the target group has at most 32 letters, digits and hyphens.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroup {
    /// The target type: `ip` (Fargate tasks and other targets with an IP address of their own), `instance`, `lambda`
    /// or `alb`.
    #[spec(immutable, one_of = sdk::TargetTypeEnum, default = "instance")]
    pub(super) target_type: Option<String>,
    /// The protocol for requests to the targets: `HTTP` or `HTTPS` behind an application load balancer; `TCP`, `TLS`,
    /// `UDP`, `TCP_UDP`, `QUIC` or `TCP_QUIC` behind a network load balancer; `GENEVE` behind a gateway load balancer.
    /// Not for `lambda`.
    #[spec(immutable, one_of = sdk::ProtocolEnum, default = null)]
    pub(super) protocol: Option<String>,
    /// The protocol version. Only with `HTTP` and `HTTPS`
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>).
    #[spec(immutable, one_of = ["HTTP1", "HTTP2", "GRPC"], default = "HTTP1")]
    pub(super) protocol_version: Option<String>,
    /// The port of targets that are registered without a port of their own. Not for `lambda`.
    #[spec(immutable, range = 1..=65535, default = null)]
    pub(super) port: Option<i32>,
    /// The VPC of the targets. Not for `lambda`.
    #[spec(immutable, default = null)]
    pub(super) vpc: Option<Ref<Vpc>>,
    /// The IP address type.
    #[spec(immutable, one_of = sdk::TargetGroupIpAddressTypeEnum, default = "ipv4")]
    pub(super) ip_address_type: Option<String>,
    /// Whether health checks are enabled. They can be disabled only for `lambda`, where they are disabled by default.
    pub(super) health_check_enabled: Option<ServerDefault<bool>>,
    /// The protocol of health checks. AWS's default is `HTTP`, or `TCP` behind a network load balancer. AWS refuses the
    /// other protocols
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>).
    #[spec(one_of = ["HTTP", "HTTPS", "TCP"])]
    pub(super) health_check_protocol: Option<ServerDefault<String>>,
    /// The port of health checks: a port number, as a string, or `traffic-port`, the port on which the target receives
    /// requests.
    #[spec(pattern = "traffic-port|[0-9]{1,5}", default = "traffic-port")]
    pub(super) health_check_port: Option<ServerDefault<String>>,
    /// The path of HTTP and HTTPS health checks. AWS's default is `/`.
    #[spec(length = 1..=1024)]
    pub(super) health_check_path: Option<ServerDefault<String>>,
    /// The seconds between two health checks of a target. AWS's default is 30 for most protocols.
    #[spec(range = 5..=300)]
    pub(super) health_check_interval_seconds: Option<ServerDefault<i32>>,
    /// The seconds without a response after which a health check fails. It must be below the interval. AWS's
    /// default is 5, or behind a network load balancer 6 for HTTP and 10 otherwise.
    #[spec(range = 2..=120)]
    pub(super) health_check_timeout_seconds: Option<ServerDefault<i32>>,
    /// The successful health checks in a row after which a target is healthy.
    #[spec(range = 2..=10, default = 5)]
    pub(super) healthy_threshold_count: Option<ServerDefault<i32>>,
    /// The failed health checks in a row after which a target is unhealthy. AWS's default is 2, or 5 for `lambda`.
    #[spec(range = 2..=10)]
    pub(super) unhealthy_threshold_count: Option<ServerDefault<i32>>,
    /// The response codes that count as healthy.
    pub(super) matcher: Option<ServerDefault<Matcher>>,
    /// The attributes: routing, deregistration and stickiness. CreateTargetGroup does not accept them; an update after
    /// the create sets them.
    pub(super) attributes: Option<ServerDefault<TargetGroupAttributes>>,
}

/// The response codes that count as healthy.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Matcher {
    /// HTTP codes: `200`, `200,202` or `200-299`. AWS's default is `200`, or `200-399` behind a
    /// network load balancer.
    #[spec(never_null)]
    pub(super) http_code: Option<String>,
    /// gRPC codes, for `GRPC`: `0`, `0,1` or `0-5`. AWS's default is `12`.
    #[spec(never_null)]
    pub(super) grpc_code: Option<String>,
}

/// The attributes of a target group. Each description begins with AWS's key of the attribute
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_TargetGroupAttribute.html>). AWS refuses
/// an attribute that the load balancer or the target type does not support.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroupAttributes {
    /// `deregistration_delay.timeout_seconds`: the deregistration delay in seconds, in which a target can finish its
    /// requests (connection draining).
    #[spec(range = 0..=3600, default = 300)]
    pub(super) deregistration_delay_timeout_seconds: Option<ServerDefault<i32>>,
    /// `deregistration_delay.connection_termination.enabled`: whether connections are closed after the deregistration
    /// delay; network load balancers only.
    pub(super) deregistration_delay_connection_termination_enabled: Option<ServerDefault<bool>>,
    /// `stickiness.enabled`: whether sticky sessions are enabled, so that all requests of a client go to the same
    /// target.
    #[spec(default = false)]
    pub(super) stickiness_enabled: Option<ServerDefault<bool>>,
    /// `stickiness.type`: `lb_cookie` or `app_cookie`; for network load balancers `source_ip`; for gateway load
    /// balancers `source_ip_dest_ip` or `source_ip_dest_ip_proto`.
    #[spec(one_of = ["lb_cookie", "app_cookie", "source_ip", "source_ip_dest_ip", "source_ip_dest_ip_proto"])]
    pub(super) stickiness_type: Option<ServerDefault<String>>,
    /// `stickiness.lb_cookie.duration_seconds`: the duration in seconds.
    #[spec(range = 1..=604800, default = 86400)]
    pub(super) stickiness_lb_cookie_duration_seconds: Option<ServerDefault<i32>>,
    /// `stickiness.app_cookie.cookie_name`: the name of the application's cookie, for `app_cookie`.
    pub(super) stickiness_app_cookie_cookie_name: Option<String>,
    /// `stickiness.app_cookie.duration_seconds`: the duration in seconds.
    #[spec(range = 1..=604800, default = 86400)]
    pub(super) stickiness_app_cookie_duration_seconds: Option<ServerDefault<i32>>,
    /// `load_balancing.algorithm.type`: how the load balancer chooses the target of a request.
    #[spec(one_of = ["round_robin", "least_outstanding_requests", "weighted_random"], default = "round_robin")]
    pub(super) load_balancing_algorithm_type: Option<ServerDefault<String>>,
    /// `load_balancing.algorithm.anomaly_mitigation`: whether targets with anomalies get fewer requests. Only with
    /// `weighted_random`.
    #[spec(one_of = ["on", "off"], default = "off")]
    pub(super) load_balancing_algorithm_anomaly_mitigation: Option<ServerDefault<String>>,
    /// `load_balancing.cross_zone.enabled`: whether requests go to targets in all zones, as a string.
    #[spec(
        one_of = ["true", "false", "use_load_balancer_configuration"],
        default = "use_load_balancer_configuration"
    )]
    pub(super) load_balancing_cross_zone_enabled: Option<ServerDefault<String>>,
    /// `slow_start.duration_seconds`: the slow start duration in seconds, in which the share of requests of a new
    /// target increases. 30 to 900; 0 disables slow start.
    #[spec(range = 0..=900, default = 0)]
    pub(super) slow_start_duration_seconds: Option<ServerDefault<i32>>,
    /// `preserve_client_ip.enabled`: whether targets receive the client's IP address; network load balancers only.
    pub(super) preserve_client_ip_enabled: Option<ServerDefault<bool>>,
    /// `proxy_protocol_v2.enabled`: whether proxy protocol version 2 is used; network load balancers only.
    #[spec(default = false)]
    pub(super) proxy_protocol_v2_enabled: Option<ServerDefault<bool>>,
}

/// The status of a TargetGroup: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroupStatus {
    /// The target group's ARN; also its id.
    pub(super) arn: String,
    /// `targetgroup/<name>/<id>`: the value of the dimension `TargetGroup` in its metrics. The resource label of a
    /// scaling policy for requests per target is the full name of the load balancer, a slash, and this value.
    pub(super) full_name: String,
}

/// The keys of the attributes.
pub(super) const KEYS: [&str; 13] = [
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
