//! CachePolicy: the cache key, and how long responses stay in the cache.

use aws_sdk_cloudfront::types::{self as sdk, CachePolicyConfig, CachePolicyType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::tagging::Tags;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Ownership, Tier};
use holdfast_core::types::ServerDefault;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::selection::{CookiesConfig, HeadersConfig, QueryStringsConfig, ToSdk as _};
use super::{COMMENT_LIMIT, cloudfront, is_requested, join_comment, may_request_managed, split_comment, tags_after};

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
    comment: Option<String>,
    /// The minimum TTL in seconds: how long a response stays in the cache at least, whatever the origin says.
    /// Holdfast's default is 0.
    #[serde(rename = "minTTL", default)]
    min_ttl: i64,
    /// The default TTL in seconds, for responses whose origin states no lifetime. AWS's default is 86400, or `minTTL`
    /// if that is greater.
    #[serde(rename = "defaultTTL")]
    default_ttl: Option<ServerDefault<i64>>,
    /// The maximum TTL in seconds. AWS's default is 31536000, or the greater of `minTTL` and `defaultTTL` if that is
    /// more.
    #[serde(rename = "maxTTL")]
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
    /// The headers: `none` (the default) or `whitelist`.
    #[serde(default)]
    headers_config: HeadersConfig,
    /// The cookies: `none` (the default), `whitelist`, `allExcept` or `all`.
    #[serde(default)]
    cookies_config: CookiesConfig,
    /// The query strings: `none` (the default), `whitelist`, `allExcept` or `all`.
    #[serde(default)]
    query_strings_config: QueryStringsConfig,
}

impl Kind for CachePolicy {
    type Status = ();
    const TIER: Tier = Tier::Edge;
    const OWNERSHIP: Ownership = Ownership::EmbeddedMarker { key: &[] };
    const NAMING: NamingRules = NamingRules::limit(128);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let (mut found, mut marker) = (vec![], None);
        loop {
            let own = (!may_request_managed(scope)).then_some(CachePolicyType::Custom);
            let page = cloudfront(aws).list_cache_policies().set_type(own).set_marker(marker).send().await?;
            let Some(page) = page.cache_policy_list else { return Ok(found) };
            let policies = page.items.unwrap_or_default().into_iter().filter_map(|summary| summary.cache_policy);
            let lives = policies.filter_map(|policy| Some(live(policy.id, &policy.cache_policy_config?)));
            found.extend(lives.filter(|live| is_requested(scope, live)));
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let mut config = CachePolicyConfig::builder().name(&desired.name).min_ttl(0).build()?;
        put(&mut config, &desired.spec, &desired.tags)?;
        let output = cloudfront(aws).create_cache_policy().cache_policy_config(config).send().await?;
        let policy =
            output.cache_policy.ok_or_else(|| Error::incomplete("cloudfront.CreateCachePolicy", "cachePolicy"))?;
        Ok(match &policy.cache_policy_config {
            Some(config) => live(policy.id, config).into(),
            None => Created::unobserved(policy.id),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        change(aws, live, |config| put(config, &desired.spec, &desired.tags)).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let current = cloudfront(aws).get_cache_policy_config().id(&live.id).send().await?;
        cloudfront(aws).delete_cache_policy().id(&live.id).set_if_match(current.e_tag).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        let text = join_comment::<Self>(live.spec.comment.as_deref(), &tags_after(live, tags), COMMENT_LIMIT)?;
        let edit = |config: &mut CachePolicyConfig| {
            config.comment = Some(text);
            Ok(())
        };
        change(aws, live, edit).await
    }
}

/// Reads the configuration with its ETag, edits it, and writes it back as a whole.
async fn change(
    aws: &Aws,
    live: &Live<CachePolicy>,
    edit: impl FnOnce(&mut CachePolicyConfig) -> Result<()>,
) -> Result<()> {
    let current = cloudfront(aws).get_cache_policy_config().id(&live.id).send().await?;
    let missing = || Error::incomplete("cloudfront.GetCachePolicyConfig", "cachePolicyConfig");
    let mut config = current.cache_policy_config.ok_or_else(missing)?;
    edit(&mut config)?;
    let update = cloudfront(aws).update_cache_policy().id(&live.id).set_if_match(current.e_tag);
    update.cache_policy_config(config).send().await?;
    Ok(())
}

fn put(config: &mut CachePolicyConfig, spec: &CachePolicy, tags: &Tags) -> Result<()> {
    let CachePolicy {
        comment: text,
        min_ttl,
        default_ttl,
        max_ttl,
        parameters_in_cache_key_and_forwarded_to_origin: key,
    } = spec;
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
    config.comment = Some(join_comment::<CachePolicy>(text.as_deref(), tags, COMMENT_LIMIT)?);
    config.min_ttl = *min_ttl;
    config.default_ttl = default_ttl.map(|ttl| *ttl).or(config.default_ttl);
    config.max_ttl = max_ttl.map(|ttl| *ttl).or(config.max_ttl);
    config.parameters_in_cache_key_and_forwarded_to_origin = Some(key);
    Ok(())
}

fn live(id: String, config: &CachePolicyConfig) -> Live<CachePolicy> {
    let (comment, tags) = split_comment::<CachePolicy>(config.comment());
    let mut key = ParametersInCacheKeyAndForwardedToOrigin::default();
    if let Some(response) = &config.parameters_in_cache_key_and_forwarded_to_origin {
        key = ParametersInCacheKeyAndForwardedToOrigin {
            enable_accept_encoding_gzip: response.enable_accept_encoding_gzip,
            enable_accept_encoding_brotli: response.enable_accept_encoding_brotli.unwrap_or(false),
            headers_config: response.headers_config.as_ref().map(Into::into).unwrap_or_default(),
            cookies_config: response.cookies_config.as_ref().map(Into::into).unwrap_or_default(),
            query_strings_config: response.query_strings_config.as_ref().map(Into::into).unwrap_or_default(),
        };
    }
    let spec = CachePolicy {
        comment,
        min_ttl: config.min_ttl,
        default_ttl: config.default_ttl.map(ServerDefault),
        max_ttl: config.max_ttl.map(ServerDefault),
        parameters_in_cache_key_and_forwarded_to_origin: key,
    };
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
            (tag::ADDRESS.into(), "CachePolicy/web".into()),
            (tag::GENERATION.into(), "1".into()),
            (tag::DIGEST.into(), "0123456789abcdef".into()),
        ]);
        let spec: CachePolicy = serde_json::from_str(
            r#"{"comment": "Images", "minTTL": 1, "parametersInCacheKeyAndForwardedToOrigin":
            {"headersConfig": {"headerBehavior": "whitelist", "headers": ["Accept"]}}}"#,
        )
        .unwrap();
        let mut config = CachePolicyConfig::builder().name("web").min_ttl(0).build()?;
        put(&mut config, &spec, &tags)?;
        let live = live("id".into(), &config);
        assert_eq!(
            (live.tags, serde_json::to_value(&live.spec).unwrap()),
            (tags, serde_json::to_value(&spec).unwrap())
        );
        Ok(())
    }
}
