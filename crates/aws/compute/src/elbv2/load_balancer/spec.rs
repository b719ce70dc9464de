//! The spec and the status of a LoadBalancer.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types as sdk;
use holdfast_base::names::SecurityGroup;
use holdfast_base::names::Subnet;
use holdfast_core::Spec;
use holdfast_core::types::{Ref, ServerDefault};
use serde::{Deserialize, Serialize};

/// A load balancer. Its name has at most 32 letters, digits and hyphens, and must not begin with `internal-`. AWS takes
/// minutes to create one.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancer {
    /// The type.
    #[spec(immutable, one_of = sdk::LoadBalancerTypeEnum, default = "application")]
    pub(super) r#type: Option<String>,
    /// The scheme: whether the nodes have public addresses.
    #[spec(immutable, one_of = sdk::LoadBalancerSchemeEnum, default = "internet-facing")]
    pub(super) scheme: Option<String>,
    /// The IP address type. `dualstack-without-public-ipv4` is for application load balancers.
    #[spec(one_of = sdk::IpAddressType, default = "ipv4")]
    pub(super) ip_address_type: Option<ServerDefault<String>>,
    /// The subnets: one in each Availability Zone. An application load balancer needs two zones.
    pub(super) subnets: BTreeSet<Ref<Subnet>>,
    /// The security groups. An application load balancer without security groups gets the VPC's default group. A
    /// network load balancer can have security groups only if it was created with some
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/network/load-balancer-security-groups.html>).
    #[spec(never_null)]
    pub(super) security_groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// The attributes: logs, timeouts and routing. CreateLoadBalancer does not accept them; an update after the create
    /// sets them.
    pub(super) attributes: Option<ServerDefault<LoadBalancerAttributes>>,
}

/// The attributes of a load balancer, each with AWS's key
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_LoadBalancerAttribute.html>).
/// AWS refuses an attribute that the type of the load balancer does not support.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancerAttributes {
    /// `deletion_protection.enabled`: AWS refuses to delete the load balancer while this is true. Holdfast holds the
    /// deletion (`Protected`), and keeps the listeners.
    #[spec(default = false)]
    pub(super) deletion_protection_enabled: Option<ServerDefault<bool>>,
    /// `load_balancing.cross_zone.enabled`: always true for an application load balancer.
    pub(super) load_balancing_cross_zone_enabled: Option<ServerDefault<bool>>,
    /// `access_logs.s3.enabled`: whether access logs are written. The bucket must exist and allow the service to write
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>).
    #[spec(default = false)]
    pub(super) access_logs_s3_enabled: Option<ServerDefault<bool>>,
    /// `access_logs.s3.bucket`: the bucket's name.
    pub(super) access_logs_s3_bucket: Option<String>,
    /// `access_logs.s3.prefix`: the prefix of the log objects' keys.
    pub(super) access_logs_s3_prefix: Option<String>,
    /// `connection_logs.s3.enabled`: whether connection logs are written.
    #[spec(default = false)]
    pub(super) connection_logs_s3_enabled: Option<ServerDefault<bool>>,
    /// `connection_logs.s3.bucket`: the bucket's name.
    pub(super) connection_logs_s3_bucket: Option<String>,
    /// `connection_logs.s3.prefix`: the prefix of the log objects' keys.
    pub(super) connection_logs_s3_prefix: Option<String>,
    /// `idle_timeout.timeout_seconds`: the idle timeout in seconds.
    #[spec(range = 1..=4000, default = 60)]
    pub(super) idle_timeout_timeout_seconds: Option<ServerDefault<i32>>,
    /// `client_keep_alive.seconds`: the keep-alive duration in seconds.
    #[spec(range = 60..=604800, default = 3600)]
    pub(super) client_keep_alive_seconds: Option<ServerDefault<i32>>,
    /// `routing.http.desync_mitigation_mode`: how requests are handled that may be a security risk.
    #[spec(one_of = ["monitor", "defensive", "strictest"], default = "defensive")]
    pub(super) routing_http_desync_mitigation_mode: Option<ServerDefault<String>>,
    /// `routing.http.drop_invalid_header_fields.enabled`: whether header fields that are not valid are removed.
    #[spec(default = false)]
    pub(super) routing_http_drop_invalid_header_fields_enabled: Option<ServerDefault<bool>>,
    /// `routing.http.preserve_host_header.enabled`: whether targets receive the `Host` header without a change.
    #[spec(default = false)]
    pub(super) routing_http_preserve_host_header_enabled: Option<ServerDefault<bool>>,
    /// `routing.http.x_amzn_tls_version_and_cipher_suite.enabled`: whether targets receive the headers
    /// `x-amzn-tls-version` and `x-amzn-tls-cipher-suite`.
    pub(super) routing_http_x_amzn_tls_version_and_cipher_suite_enabled: Option<ServerDefault<bool>>,
    /// `routing.http.xff_client_port.enabled`: whether the `X-Forwarded-For` header has the client's source port.
    #[spec(default = false)]
    pub(super) routing_http_xff_client_port_enabled: Option<ServerDefault<bool>>,
    /// `routing.http.xff_header_processing.mode`: what happens to the `X-Forwarded-For` header.
    #[spec(one_of = ["append", "preserve", "remove"], default = "append")]
    pub(super) routing_http_xff_header_processing_mode: Option<ServerDefault<String>>,
    /// `routing.http2.enabled`: whether clients can use HTTP/2.
    #[spec(default = true)]
    pub(super) routing_http2_enabled: Option<ServerDefault<bool>>,
    /// `waf.fail_open.enabled`: whether requests pass while AWS WAF cannot be reached to evaluate the web ACL.
    pub(super) waf_fail_open_enabled: Option<ServerDefault<bool>>,
    /// `zonal_shift.config.enabled`: whether zonal shift is enabled.
    #[spec(default = false)]
    pub(super) zonal_shift_config_enabled: Option<ServerDefault<bool>>,
}

/// The status of a LoadBalancer: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancerStatus {
    /// The load balancer's ARN; also its id.
    pub(super) arn: String,
    /// The DNS name that clients resolve.
    pub(super) dns_name: Option<String>,
    /// The hosted zone of the DNS name, for alias records.
    pub(super) canonical_hosted_zone_id: Option<String>,
    /// `app/<name>/<id>`: the value of the `LoadBalancer` dimension in its metrics.
    pub(super) full_name: String,
}

/// The keys of the attributes.
pub(super) const KEYS: [&str; 19] = [
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
