//! OriginRequestPolicy: the values that CloudFront sends to the origin.

use aws_sdk_cloudfront::types::{OriginRequestPolicyConfig, OriginRequestPolicyType};
use holdfast_base::error::Result;
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{Excludes, Needs},
    Relation, demand,
};
use serde::{Deserialize, Serialize};

use super::policy::{Policy, policy_calls, policy_kind, policy_list};
use super::selection::{CookiesConfig, OriginRequestPolicyHeadersConfig, QueryStringsConfig, ToSdk as _};

/// A CloudFront origin request policy: the values that CloudFront sends to the origin beyond the cache key.
///
/// AWS provides managed policies. A document looks them up by name:
/// `OriginRequestPolicy/all: { name: Managed-AllViewer, lifecycle: { manage: observe } }`
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html>).
///
/// An origin request policy has no tags. Its owner marker is stored at the end of its comment.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginRequestPolicy {
    /// The comment for people; at most 128 characters including the owner marker.
    #[spec(length = ..=128)]
    comment: Option<String>,
    /// The headers; none by default.
    #[serde(default)]
    headers_config: OriginRequestPolicyHeadersConfig,
    /// The cookies; none by default.
    #[serde(default)]
    cookies_config: CookiesConfig,
    /// The query strings; none by default.
    #[serde(default)]
    query_strings_config: QueryStringsConfig,
}

/// The combinations that CloudFront refuses.
const RELATIONS: &[Relation] = &[
    // https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_OriginRequestPolicyConfig.html
    demand(Needs("headers"))
        .when(&[Is("headerBehavior", &["allExcept", "allViewerAndWhitelistCloudFront", "whitelist"])])
        .at("headersConfig"),
    demand(Excludes("headers")).when(&[Is("headerBehavior", &["allViewer", "none"])]).at("headersConfig"),
    demand(Needs("cookies")).when(&[Is("cookieBehavior", &["allExcept", "whitelist"])]).at("cookiesConfig"),
    demand(Excludes("cookies")).when(&[Is("cookieBehavior", &["all", "none"])]).at("cookiesConfig"),
    demand(Needs("queryStrings"))
        .when(&[Is("queryStringBehavior", &["allExcept", "whitelist"])])
        .at("queryStringsConfig"),
    demand(Excludes("queryStrings")).when(&[Is("queryStringBehavior", &["all", "none"])]).at("queryStringsConfig"),
];

policy_kind!(OriginRequestPolicy, 128, RELATIONS);

impl Policy for OriginRequestPolicy {
    type Config = OriginRequestPolicyConfig;

    policy_list!(
        list_origin_request_policies.origin_request_policy_list,
        OriginRequestPolicyType,
        origin_request_policy.origin_request_policy_config
    );
    policy_calls!(
        create_origin_request_policy,
        get_origin_request_policy_config,
        update_origin_request_policy,
        delete_origin_request_policy,
        origin_request_policy.origin_request_policy_config.comment
    );

    fn new(name: &str) -> Result<OriginRequestPolicyConfig> {
        Ok(OriginRequestPolicyConfig::builder().name(name).build()?)
    }

    fn put(&self, config: &mut OriginRequestPolicyConfig) -> Result<()> {
        let OriginRequestPolicy { comment: _, headers_config, cookies_config, query_strings_config } = self;
        config.headers_config = Some(headers_config.to_sdk()?);
        config.cookies_config = Some(cookies_config.to_sdk()?);
        config.query_strings_config = Some(query_strings_config.to_sdk()?);
        Ok(())
    }

    fn from_response(config: &OriginRequestPolicyConfig, comment: Option<String>) -> Self {
        OriginRequestPolicy {
            comment,
            headers_config: config.headers_config.as_ref().map(Into::into).unwrap_or_default(),
            cookies_config: config.cookies_config.as_ref().map(Into::into).unwrap_or_default(),
            query_strings_config: config.query_strings_config.as_ref().map(Into::into).unwrap_or_default(),
        }
    }
}
