//! ResponseHeadersPolicy: the headers of answers.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types::{ResponseHeadersPolicyConfig, ResponseHeadersPolicyType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::tagging::Tags;
use holdfast_core::Spec;
use holdfast_core::schema::{Claim, CreateClass, Naming, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{COMMENT, cloudfront, comment, is_lookup, is_wanted, response_headers, retagged, uncomment};

/// The headers that CloudFront adds to answers and takes from them. AWS has policies of its own, which a document
/// looks up by name: `ResponseHeadersPolicy/security: { name: Managed-SecurityHeadersPolicy, lifecycle: { manage:
/// observe } }`
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-response-headers-policies.html>).
/// It has no tags; its owner stands at the end of its comment.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResponseHeadersPolicy {
    /// What people read about it; with the owner's mark at most 128 characters.
    pub(super) comment: Option<String>,
    /// Headers for requests from other origins (CORS).
    pub(super) cors_config: Option<CorsConfig>,
    /// Headers that tell browsers to be careful.
    pub(super) security_headers_config: Option<SecurityHeadersConfig>,
    /// The `Server-Timing` header.
    pub(super) server_timing_headers_config: Option<ServerTimingHeadersConfig>,
    /// Further headers by their names.
    pub(super) custom_headers_config: Option<BTreeMap<String, CustomHeader>>,
    /// Names of the origin's headers that are taken away.
    pub(super) remove_headers_config: Option<BTreeSet<String>>,
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

impl Kind for ResponseHeadersPolicy {
    type Status = ();
    const TIER: Tier = Tier::Edge;
    const CLAIM: Claim = Claim::Mark { key: &[] };
    const NAMING: Naming = Naming::limit(128);
    const CLASS: CreateClass = CreateClass::Name;
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let (mut found, mut marker) = (vec![], None);
        loop {
            let own = (!is_lookup(scope)).then_some(ResponseHeadersPolicyType::Custom);
            let page = cloudfront(aws).list_response_headers_policies().set_type(own).set_marker(marker).send().await?;
            let Some(page) = page.response_headers_policy_list else { return Ok(found) };
            let policies =
                page.items.unwrap_or_default().into_iter().filter_map(|summary| summary.response_headers_policy);
            let lives = policies.filter_map(|policy| Some(live(policy.id, &policy.response_headers_policy_config?)));
            found.extend(lives.filter(|live| is_wanted(scope, live)));
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let mut config = ResponseHeadersPolicyConfig::builder().name(&desired.name).build()?;
        put(&mut config, &desired.spec, &desired.tags)?;
        let made =
            cloudfront(aws).create_response_headers_policy().response_headers_policy_config(config).send().await?;
        let missing = || Error::incomplete("cloudfront.CreateResponseHeadersPolicy", "responseHeadersPolicy");
        let made = made.response_headers_policy.ok_or_else(missing)?;
        Ok(match &made.response_headers_policy_config {
            Some(config) => live(made.id, config).into(),
            None => Made::unseen(made.id),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        change(aws, live, |config| put(config, &desired.spec, &desired.tags)).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let there = cloudfront(aws).get_response_headers_policy_config().id(&live.id).send().await?;
        cloudfront(aws).delete_response_headers_policy().id(&live.id).set_if_match(there.e_tag).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let text = comment::<Self>(live.spec.comment.as_deref(), &retagged(live, tags), COMMENT)?;
        let edit = |config: &mut ResponseHeadersPolicyConfig| {
            config.comment = Some(text);
            Ok(())
        };
        change(aws, live, edit).await
    }
}

/// Reads the configuration with its ETag, edits it, and puts it back whole.
async fn change(
    aws: &Aws,
    live: &Live<ResponseHeadersPolicy>,
    edit: impl FnOnce(&mut ResponseHeadersPolicyConfig) -> Result<()>,
) -> Result<()> {
    let there = cloudfront(aws).get_response_headers_policy_config().id(&live.id).send().await?;
    let missing = || Error::incomplete("cloudfront.GetResponseHeadersPolicyConfig", "response_headers_policyConfig");
    let mut config = there.response_headers_policy_config.ok_or_else(missing)?;
    edit(&mut config)?;
    let update = cloudfront(aws).update_response_headers_policy().id(&live.id).set_if_match(there.e_tag);
    update.response_headers_policy_config(config).send().await?;
    Ok(())
}

fn put(config: &mut ResponseHeadersPolicyConfig, spec: &ResponseHeadersPolicy, tags: &Tags) -> Result<()> {
    config.comment = Some(comment::<ResponseHeadersPolicy>(spec.comment.as_deref(), tags, COMMENT)?);
    response_headers::put(config, spec)
}

fn live(id: String, config: &ResponseHeadersPolicyConfig) -> Live<ResponseHeadersPolicy> {
    let (comment, tags) = uncomment::<ResponseHeadersPolicy>(config.comment());
    let spec = ResponseHeadersPolicy { comment, ..response_headers::live(config) };
    Live::new(id, config.name.clone(), spec, ()).tags(tags)
}

#[cfg(test)]
mod tests {
    use holdfast_core::observed::tag;

    use super::*;

    #[test]
    fn the_owner_stands_behind_the_comment() -> Result<()> {
        let tags = Tags::from([
            (tag::STACK.into(), "shop".into()),
            (tag::ENV.into(), "prod".into()),
            (tag::ADDRESS.into(), "ResponseHeadersPolicy/web".into()),
            (tag::GENERATION.into(), "1".into()),
            (tag::DIGEST.into(), "0123456789abcdef".into()),
        ]);
        let spec: ResponseHeadersPolicy = serde_json::from_str(r#"{"comment": "Strict", "securityHeadersConfig": {"frameOptions": {"frameOption": "DENY"}}, "customHeadersConfig": {"X-A": {"value": "b"}}}"#).unwrap();
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
