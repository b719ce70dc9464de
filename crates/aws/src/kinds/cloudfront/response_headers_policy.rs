//! ResponseHeadersPolicy: the headers of answers.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// The headers that CloudFront adds to answers and takes from them. AWS has policies of its own, which a document
/// looks up by name: `ResponseHeadersPolicy/security: { name: Managed-SecurityHeadersPolicy, lifecycle: { manage:
/// observe } }`
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-response-headers-policies.html>).
/// It has no tags; its owner stands at the end of its comment.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResponseHeadersPolicy {
    /// What people read about it; with the owner's mark at most 128 characters.
    comment: Option<String>,
    /// Headers for requests from other origins (CORS).
    cors_config: Option<CorsConfig>,
    /// Headers that tell browsers to be careful.
    security_headers_config: Option<SecurityHeadersConfig>,
    /// The `Server-Timing` header.
    server_timing_headers_config: Option<ServerTimingHeadersConfig>,
    /// Further headers by their names.
    custom_headers_config: Option<BTreeMap<String, CustomHeader>>,
    /// Names of the origin's headers that are taken away.
    remove_headers_config: Option<BTreeSet<String>>,
}

/// Headers for requests from other origins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CorsConfig {
    /// Who may ask: origins, with `*` for all or as a wildcard.
    pub(super) access_control_allow_origins: BTreeSet<String>,
    /// Which headers they may send; `*` for all.
    pub(super) access_control_allow_headers: BTreeSet<String>,
    /// Which methods they may use: `GET`, `DELETE`, `HEAD`, `OPTIONS`, `PATCH`, `POST`, `PUT` or `ALL`.
    pub(super) access_control_allow_methods: BTreeSet<String>,
    /// Which headers their scripts may read.
    pub(super) access_control_expose_headers: Option<BTreeSet<String>>,
    /// Whether they may send credentials; not together with a `*`.
    #[serde(default)]
    pub(super) access_control_allow_credentials: bool,
    /// How many seconds a browser may keep the answer. AWS's default is 600.
    pub(super) access_control_max_age_sec: Option<i32>,
    /// Whether these headers replace those of the origin. Our default is true.
    #[serde(default = "yes")]
    pub(super) origin_override: bool,
}

/// Headers that tell browsers to be careful.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityHeadersConfig {
    /// `Strict-Transport-Security`.
    pub(super) strict_transport_security: Option<StrictTransportSecurity>,
    /// `Content-Security-Policy`.
    pub(super) content_security_policy: Option<ContentSecurityPolicy>,
    /// `X-Content-Type-Options: nosniff`.
    pub(super) content_type_options: Option<ContentTypeOptions>,
    /// `X-Frame-Options`.
    pub(super) frame_options: Option<FrameOptions>,
    /// `Referrer-Policy`.
    pub(super) referrer_policy: Option<ReferrerPolicy>,
    /// `X-XSS-Protection`, which browsers no longer heed.
    pub(super) xss_protection: Option<XssProtection>,
}

/// `Strict-Transport-Security`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StrictTransportSecurity {
    /// For how many seconds a browser uses HTTPS only.
    pub(super) access_control_max_age_sec: i32,
    /// Whether that goes for subdomains too.
    #[serde(default)]
    pub(super) include_subdomains: bool,
    /// Whether browsers may have it in their lists.
    #[serde(default)]
    pub(super) preload: bool,
    /// Whether it replaces the origin's. Our default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// `Content-Security-Policy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentSecurityPolicy {
    /// The header's value.
    pub(super) content_security_policy: String,
    /// Whether it replaces the origin's. Our default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// `X-Content-Type-Options: nosniff`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContentTypeOptions {
    /// Whether it replaces the origin's. Our default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// `X-Frame-Options`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FrameOptions {
    /// `DENY` or `SAMEORIGIN`.
    pub(super) frame_option: String,
    /// Whether it replaces the origin's. Our default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// `Referrer-Policy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReferrerPolicy {
    /// `no-referrer`, `no-referrer-when-downgrade`, `origin`, `origin-when-cross-origin`, `same-origin`,
    /// `strict-origin`, `strict-origin-when-cross-origin` or `unsafe-url`.
    pub(super) referrer_policy: String,
    /// Whether it replaces the origin's. Our default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// `X-XSS-Protection`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct XssProtection {
    /// `1` or `0`.
    pub(super) protection: bool,
    /// Whether `mode=block` is added.
    pub(super) mode_block: Option<bool>,
    /// Where browsers report to; not together with `modeBlock`.
    pub(super) report_uri: Option<String>,
    /// Whether it replaces the origin's. Our default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// The `Server-Timing` header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServerTimingHeadersConfig {
    /// Whether it is added.
    pub(super) enabled: bool,
    /// To how many answers in a hundred.
    pub(super) sampling_rate: Option<f64>,
}

/// A further header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomHeader {
    /// Its value.
    pub(super) value: String,
    /// Whether it replaces the origin's. Our default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

fn yes() -> bool {
    true
}

/// What only AWS knows of a ResponseHeadersPolicy.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResponseHeadersPolicyStatus {
    /// Its ARN.
    arn: String,
}

impl Kind for ResponseHeadersPolicy {
    type Status = ResponseHeadersPolicyStatus;
    const TIER: Tier = Tier::Edge;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("ResponseHeadersPolicy", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("ResponseHeadersPolicy", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("ResponseHeadersPolicy", "this kind is not there yet"))
    }
}
