//! CachePolicy: the cache key, and how long responses stay in the cache.

use aws_sdk_cloudfront::types::{self as sdk, CachePolicyConfig};
use holdfast_base::error::Result;
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{AtMost, Excludes, Needs},
    Relation, demand,
};
use holdfast_core::types::ServerDefault;
use serde::{Deserialize, Serialize};

use super::policy::{Policy, policy_calls, policy_kind, policy_list};
use super::selection::{CachePolicyHeadersConfig, CookiesConfig, QueryStringsConfig, ToSdk as _};

/// A CloudFront cache policy: the cache key, and how long responses stay in the cache.
///
/// AWS provides managed policies. A document looks them up by name:
/// `CachePolicy/optimized: { name: Managed-CachingOptimized, lifecycle: { manage: observe } }`
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html>).
///
/// A cache policy has no tags. Its owner marker is stored at the end of its comment.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CachePolicy {
    /// The comment for people; at most 128 characters including the owner marker.
    #[spec(length = ..=128)]
    comment: Option<String>,
    /// The minimum TTL in seconds: how long a response stays in the cache at least, whatever the origin says.
    /// Holdfast's default is 0.
    #[serde(rename = "minTTL", default)]
    #[spec(range = 0..)]
    min_ttl: i64,
    /// The default TTL in seconds, for responses whose origin states no lifetime. AWS's default is 86400, or `minTTL`
    /// if that is greater.
    #[serde(rename = "defaultTTL")]
    #[spec(range = 0..)]
    default_ttl: Option<ServerDefault<i64>>,
    /// The maximum TTL in seconds. AWS's default is 31536000, or the greater of `minTTL` and `defaultTTL` if that is
    /// more.
    #[serde(rename = "maxTTL")]
    #[spec(range = 0..)]
    max_ttl: Option<ServerDefault<i64>>,
    /// The cache key. CloudFront also sends its parts to the origin.
    #[serde(default)]
    parameters_in_cache_key_and_forwarded_to_origin: ParametersInCacheKeyAndForwardedToOrigin,
}

/// The parts of the cache key besides the host and the path.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParametersInCacheKeyAndForwardedToOrigin {
    /// Whether CloudFront requests and caches responses compressed with gzip. Must be true for CloudFront to compress
    /// with gzip.
    #[serde(default)]
    enable_accept_encoding_gzip: bool,
    /// Whether CloudFront requests and caches responses compressed with Brotli. Must be true for CloudFront to compress
    /// with Brotli.
    #[serde(default)]
    enable_accept_encoding_brotli: bool,
    /// The headers; none by default.
    #[serde(default)]
    headers_config: CachePolicyHeadersConfig,
    /// The cookies; none by default.
    #[serde(default)]
    cookies_config: CookiesConfig,
    /// The query strings; none by default.
    #[serde(default)]
    query_strings_config: QueryStringsConfig,
}

/// The combinations that CloudFront refuses.
const RELATIONS: &[Relation] = &[
    // https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CachePolicyConfig.html
    demand(AtMost("minTTL", "maxTTL")),
    demand(AtMost("minTTL", "defaultTTL")),
    demand(AtMost("defaultTTL", "maxTTL")),
    demand(Needs("headers"))
        .when(&[Is("headerBehavior", &["whitelist"])])
        .at("parametersInCacheKeyAndForwardedToOrigin.headersConfig"),
    demand(Excludes("headers"))
        .when(&[Is("headerBehavior", &["none"])])
        .at("parametersInCacheKeyAndForwardedToOrigin.headersConfig"),
    demand(Needs("cookies"))
        .when(&[Is("cookieBehavior", &["allExcept", "whitelist"])])
        .at("parametersInCacheKeyAndForwardedToOrigin.cookiesConfig"),
    demand(Excludes("cookies"))
        .when(&[Is("cookieBehavior", &["all", "none"])])
        .at("parametersInCacheKeyAndForwardedToOrigin.cookiesConfig"),
    demand(Needs("queryStrings"))
        .when(&[Is("queryStringBehavior", &["allExcept", "whitelist"])])
        .at("parametersInCacheKeyAndForwardedToOrigin.queryStringsConfig"),
    demand(Excludes("queryStrings"))
        .when(&[Is("queryStringBehavior", &["all", "none"])])
        .at("parametersInCacheKeyAndForwardedToOrigin.queryStringsConfig"),
];

policy_kind!(CachePolicy, 128, RELATIONS);

impl Policy for CachePolicy {
    type Config = CachePolicyConfig;

    policy_list!(list_cache_policies.cache_policy_list, sdk::CachePolicyType, cache_policy.cache_policy_config);
    policy_calls!(
        create_cache_policy,
        get_cache_policy_config,
        update_cache_policy,
        delete_cache_policy,
        cache_policy.cache_policy_config.comment
    );

    fn new(name: &str) -> Result<CachePolicyConfig> {
        Ok(CachePolicyConfig::builder().name(name).min_ttl(0).build()?)
    }

    fn put(&self, config: &mut CachePolicyConfig) -> Result<()> {
        let CachePolicy {
            comment: _,
            min_ttl,
            default_ttl,
            max_ttl,
            parameters_in_cache_key_and_forwarded_to_origin: key,
        } = self;
        let ParametersInCacheKeyAndForwardedToOrigin {
            enable_accept_encoding_gzip,
            enable_accept_encoding_brotli,
            headers_config,
            cookies_config,
            query_strings_config,
        } = key;
        let key = sdk::ParametersInCacheKeyAndForwardedToOrigin::builder()
            .enable_accept_encoding_gzip(*enable_accept_encoding_gzip)
            .enable_accept_encoding_brotli(*enable_accept_encoding_brotli)
            .headers_config(headers_config.to_sdk()?)
            .cookies_config(cookies_config.to_sdk()?)
            .query_strings_config(query_strings_config.to_sdk()?)
            .build()?;
        config.min_ttl = *min_ttl;
        config.default_ttl = default_ttl.map(|ttl| *ttl).or(config.default_ttl);
        config.max_ttl = max_ttl.map(|ttl| *ttl).or(config.max_ttl);
        config.parameters_in_cache_key_and_forwarded_to_origin = Some(key);
        Ok(())
    }

    fn from_response(config: &CachePolicyConfig, comment: Option<String>) -> Self {
        let key = config.parameters_in_cache_key_and_forwarded_to_origin.as_ref();
        CachePolicy {
            comment,
            min_ttl: config.min_ttl,
            default_ttl: config.default_ttl.map(ServerDefault),
            max_ttl: config.max_ttl.map(ServerDefault),
            parameters_in_cache_key_and_forwarded_to_origin: key.map(key_from_response).unwrap_or_default(),
        }
    }
}

fn key_from_response(
    response: &sdk::ParametersInCacheKeyAndForwardedToOrigin,
) -> ParametersInCacheKeyAndForwardedToOrigin {
    ParametersInCacheKeyAndForwardedToOrigin {
        enable_accept_encoding_gzip: response.enable_accept_encoding_gzip,
        enable_accept_encoding_brotli: response.enable_accept_encoding_brotli.unwrap_or(false),
        headers_config: response.headers_config.as_ref().map(Into::into).unwrap_or_default(),
        cookies_config: response.cookies_config.as_ref().map(Into::into).unwrap_or_default(),
        query_strings_config: response.query_strings_config.as_ref().map(Into::into).unwrap_or_default(),
    }
}
