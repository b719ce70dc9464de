//! The spec of a response headers policy.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types as sdk;
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

/// A CloudFront response headers policy: headers that CloudFront adds to responses or removes from them.
///
/// AWS provides managed policies. A document looks them up by name:
/// `ResponseHeadersPolicy/security: { name: Managed-SecurityHeadersPolicy, lifecycle: { manage: observe } }`
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-response-headers-policies.html>).
///
/// A response headers policy has no tags. Its owner marker is stored at the end of its comment.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResponseHeadersPolicy {
    /// The comment for people; at most 128 characters including the owner marker.
    #[spec(length = ..=128)]
    pub(super) comment: Option<String>,
    /// The headers for cross-origin requests (CORS).
    pub(super) cors_config: Option<CorsConfig>,
    /// The security headers, which restrict what browsers do.
    pub(super) security_headers_config: Option<SecurityHeadersConfig>,
    /// The `Server-Timing` header.
    pub(super) server_timing_headers_config: Option<ServerTimingHeadersConfig>,
    /// Custom headers, by name.
    pub(super) custom_headers_config: Option<BTreeMap<String, CustomHeader>>,
    /// The names of the origin's headers that CloudFront removes.
    pub(super) remove_headers_config: Option<BTreeSet<String>>,
}

/// The headers for cross-origin requests (CORS).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CorsConfig {
    /// The origins that may send requests; `*` allows all, or is a wildcard in a name.
    pub(super) access_control_allow_origins: BTreeSet<String>,
    /// The headers that requests may have; `*` for all.
    pub(super) access_control_allow_headers: BTreeSet<String>,
    /// The HTTP methods that requests may use; `ALL` for all.
    #[spec(one_of = sdk::ResponseHeadersPolicyAccessControlAllowMethodsValues)]
    pub(super) access_control_allow_methods: BTreeSet<String>,
    /// The response headers that scripts may read.
    pub(super) access_control_expose_headers: Option<BTreeSet<String>>,
    /// Whether requests may have credentials; not together with a `*`.
    #[serde(default)]
    pub(super) access_control_allow_credentials: bool,
    /// How long a browser may cache the response to a preflight request, in seconds. AWS's default is 600.
    #[spec(default = 600)]
    pub(super) access_control_max_age_sec: Option<i32>,
    /// Whether these headers override those of the origin. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) origin_override: bool,
}

/// The security headers, which restrict what browsers do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityHeadersConfig {
    /// The header `Strict-Transport-Security` (HSTS).
    pub(super) strict_transport_security: Option<StrictTransportSecurity>,
    /// The header `Content-Security-Policy`.
    pub(super) content_security_policy: Option<ContentSecurityPolicy>,
    /// The header `X-Content-Type-Options: nosniff`.
    pub(super) content_type_options: Option<ContentTypeOptions>,
    /// The header `X-Frame-Options`.
    pub(super) frame_options: Option<FrameOptions>,
    /// The header `Referrer-Policy`.
    pub(super) referrer_policy: Option<ReferrerPolicy>,
    /// The header `X-XSS-Protection`, which current browsers ignore.
    pub(super) xss_protection: Option<XssProtection>,
}

/// The header `Strict-Transport-Security` (HSTS).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StrictTransportSecurity {
    /// How long a browser uses only HTTPS, in seconds.
    pub(super) access_control_max_age_sec: i32,
    /// Whether the header applies to subdomains too.
    #[serde(default)]
    pub(super) include_subdomains: bool,
    /// Whether browsers may add the domain to their preload lists.
    #[serde(default)]
    pub(super) preload: bool,
    /// Whether the header overrides the origin's. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// The header `Content-Security-Policy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentSecurityPolicy {
    /// The header's value.
    pub(super) content_security_policy: String,
    /// Whether the header overrides the origin's. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// The header `X-Content-Type-Options: nosniff`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentTypeOptions {
    /// Whether the header overrides the origin's. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// The header `X-Frame-Options`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FrameOptions {
    /// The header's value: `DENY` or `SAMEORIGIN`.
    #[spec(one_of = sdk::FrameOptionsList)]
    pub(super) frame_option: String,
    /// Whether the header overrides the origin's. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// The header `Referrer-Policy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReferrerPolicy {
    /// The header's value.
    #[spec(one_of = sdk::ReferrerPolicyList)]
    pub(super) referrer_policy: String,
    /// Whether the header overrides the origin's. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// The header `X-XSS-Protection`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct XssProtection {
    /// Whether the header's value is `1` (true) or `0` (false).
    pub(super) protection: bool,
    /// Whether CloudFront adds `mode=block`.
    pub(super) mode_block: Option<bool>,
    /// The URI that browsers report to; not together with `modeBlock`.
    pub(super) report_uri: Option<String>,
    /// Whether the header overrides the origin's. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// The `Server-Timing` header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerTimingHeadersConfig {
    /// Whether CloudFront adds the header.
    pub(super) enabled: bool,
    /// The percentage of responses that get the header.
    #[spec(range = 0..=100)]
    pub(super) sampling_rate: Option<f64>,
}

/// A custom header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomHeader {
    /// The header's value.
    pub(super) value: String,
    /// Whether the header overrides the origin's. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

fn yes() -> bool {
    true
}
