//! ResponseHeadersPolicy: headers that CloudFront adds to responses or removes from them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types::{ResponseHeadersPolicyConfig, ResponseHeadersPolicyType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::tagging::Tags;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Ownership, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{
    COMMENT_LIMIT, cloudfront, is_requested, join_comment, may_request_managed, response_headers, split_comment,
    tags_after,
};

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
    /// The HTTP methods that requests may use: `GET`, `DELETE`, `HEAD`, `OPTIONS`, `PATCH`, `POST`, `PUT` or `ALL`.
    pub(super) access_control_allow_methods: BTreeSet<String>,
    /// The response headers that scripts may read.
    pub(super) access_control_expose_headers: Option<BTreeSet<String>>,
    /// Whether requests may have credentials; not together with a `*`.
    #[serde(default)]
    pub(super) access_control_allow_credentials: bool,
    /// How long a browser may cache the response to a preflight request, in seconds. AWS's default is 600.
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
    pub(super) frame_option: String,
    /// Whether the header overrides the origin's. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) r#override: bool,
}

/// The header `Referrer-Policy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReferrerPolicy {
    /// The header's value: `no-referrer`, `no-referrer-when-downgrade`, `origin`, `origin-when-cross-origin`,
    /// `same-origin`, `strict-origin`, `strict-origin-when-cross-origin` or `unsafe-url`.
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

impl Kind for ResponseHeadersPolicy {
    type Status = ();
    const TIER: Tier = Tier::Edge;
    const OWNERSHIP: Ownership = Ownership::EmbeddedMarker { key: &[] };
    const NAMING: NamingRules = NamingRules::limit(128);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let (mut found, mut marker) = (vec![], None);
        loop {
            let own = (!may_request_managed(scope)).then_some(ResponseHeadersPolicyType::Custom);
            let page = cloudfront(aws).list_response_headers_policies().set_type(own).set_marker(marker).send().await?;
            let Some(page) = page.response_headers_policy_list else { return Ok(found) };
            let policies =
                page.items.unwrap_or_default().into_iter().filter_map(|summary| summary.response_headers_policy);
            let lives = policies.filter_map(|policy| Some(live(policy.id, &policy.response_headers_policy_config?)));
            found.extend(lives.filter(|live| is_requested(scope, live)));
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let mut config = ResponseHeadersPolicyConfig::builder().name(&desired.name).build()?;
        put(&mut config, &desired.spec, &desired.tags)?;
        let output =
            cloudfront(aws).create_response_headers_policy().response_headers_policy_config(config).send().await?;
        let missing = || Error::incomplete("cloudfront.CreateResponseHeadersPolicy", "responseHeadersPolicy");
        let policy = output.response_headers_policy.ok_or_else(missing)?;
        Ok(match &policy.response_headers_policy_config {
            Some(config) => live(policy.id, config).into(),
            None => Created::unobserved(policy.id),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        change(aws, live, |config| put(config, &desired.spec, &desired.tags)).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let current = cloudfront(aws).get_response_headers_policy_config().id(&live.id).send().await?;
        cloudfront(aws).delete_response_headers_policy().id(&live.id).set_if_match(current.e_tag).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        let text = join_comment::<Self>(live.spec.comment.as_deref(), &tags_after(live, tags), COMMENT_LIMIT)?;
        let edit = |config: &mut ResponseHeadersPolicyConfig| {
            config.comment = Some(text);
            Ok(())
        };
        change(aws, live, edit).await
    }
}

/// Reads the configuration with its ETag, edits it, and writes it back as a whole.
async fn change(
    aws: &Aws,
    live: &Live<ResponseHeadersPolicy>,
    edit: impl FnOnce(&mut ResponseHeadersPolicyConfig) -> Result<()>,
) -> Result<()> {
    let current = cloudfront(aws).get_response_headers_policy_config().id(&live.id).send().await?;
    let missing = || Error::incomplete("cloudfront.GetResponseHeadersPolicyConfig", "responseHeadersPolicyConfig");
    let mut config = current.response_headers_policy_config.ok_or_else(missing)?;
    edit(&mut config)?;
    let update = cloudfront(aws).update_response_headers_policy().id(&live.id).set_if_match(current.e_tag);
    update.response_headers_policy_config(config).send().await?;
    Ok(())
}

fn put(config: &mut ResponseHeadersPolicyConfig, spec: &ResponseHeadersPolicy, tags: &Tags) -> Result<()> {
    config.comment = Some(join_comment::<ResponseHeadersPolicy>(spec.comment.as_deref(), tags, COMMENT_LIMIT)?);
    response_headers::put(config, spec)
}

fn live(id: String, config: &ResponseHeadersPolicyConfig) -> Live<ResponseHeadersPolicy> {
    let (comment, tags) = split_comment::<ResponseHeadersPolicy>(config.comment());
    let spec = ResponseHeadersPolicy { comment, ..response_headers::from_response(config) };
    Live::new(id, config.name.clone(), spec, ()).tags(tags)
}

#[cfg(test)]
mod tests {
    use holdfast_core::observed::tag;

    use super::*;

    #[test]
    fn the_owner_marker_follows_the_comment() -> Result<()> {
        let tags = Tags::from([
            (tag::STACK.into(), "shop".into()),
            (tag::ENV.into(), "prod".into()),
            (tag::ADDRESS.into(), "ResponseHeadersPolicy/web".into()),
            (tag::GENERATION.into(), "1".into()),
            (tag::DIGEST.into(), "0123456789abcdef".into()),
        ]);
        let spec: ResponseHeadersPolicy = serde_json::from_str(
            r#"{"comment": "Strict", "securityHeadersConfig": {"frameOptions": {"frameOption": "DENY"}},
            "customHeadersConfig": {"X-A": {"value": "b"}}}"#,
        )
        .unwrap();
        let mut config = ResponseHeadersPolicyConfig::builder().name("web").build()?;
        put(&mut config, &spec, &tags)?;
        let live = live("id".into(), &config);
        assert_eq!(
            (live.tags, serde_json::to_value(&live.spec).unwrap()),
            (tags, serde_json::to_value(&spec).unwrap())
        );
        Ok(())
    }
}
