//! CachePolicy: what makes two requests the same to the cache.

use aws_sdk_cloudfront::types::{self as sdk, CachePolicyConfig, CachePolicyType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::tagging::Tags;
use holdfast_core::Spec;
use holdfast_core::schema::{Claim, CreateClass, Naming, Tier};
use holdfast_core::types::Always;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::selection::{CookiesConfig, HeadersConfig, QueryStringsConfig};
use super::{COMMENT, cloudfront, comment, is_lookup, is_wanted, retagged, uncomment};

/// What makes two requests the same to the cache, and how long answers stay in it. AWS has policies of its own,
/// which a document looks up by name: `CachePolicy/optimized: { name: Managed-CachingOptimized, lifecycle: {
/// manage: observe } }`
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html>).
/// It has no tags; its owner stands at the end of its comment.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CachePolicy {
    /// What people read about it; with the owner's mark at most 128 characters.
    comment: Option<String>,
    /// The least time in seconds that an answer stays, whatever the origin says. Our default is 0.
    #[serde(rename = "minTTL", default)]
    min_ttl: i64,
    /// The time in seconds for answers that say nothing of it. AWS's default is 86400, or `minTTL` if that is more.
    #[serde(rename = "defaultTTL")]
    default_ttl: Option<Always<i64>>,
    /// The greatest time in seconds. AWS's default is 31536000, or what is more of the other two.
    #[serde(rename = "maxTTL")]
    max_ttl: Option<Always<i64>>,
    /// The cache key. What is in it is also sent to the origin.
    #[serde(default)]
    parameters_in_cache_key_and_forwarded_to_origin: CacheKey,
}

/// What belongs to the cache key besides host and path.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CacheKey {
    /// Whether answers compressed by gzip are asked for and cached. It must be true for CloudFront to compress by it.
    #[serde(default)]
    enable_accept_encoding_gzip: bool,
    /// The same for Brotli.
    #[serde(default)]
    enable_accept_encoding_brotli: bool,
    /// Headers: `none` (the default) or `whitelist`.
    #[serde(default)]
    headers_config: HeadersConfig,
    /// Cookies: `none` (the default), `whitelist`, `allExcept` or `all`.
    #[serde(default)]
    cookies_config: CookiesConfig,
    /// Query strings: `none` (the default), `whitelist`, `allExcept` or `all`.
    #[serde(default)]
    query_strings_config: QueryStringsConfig,
}

impl Kind for CachePolicy {
    type Status = ();
    const TIER: Tier = Tier::Edge;
    const CLAIM: Claim = Claim::Mark { key: &[] };
    const NAMING: Naming = Naming::limit(128);
    const CLASS: CreateClass = CreateClass::Name;
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let (mut found, mut marker) = (vec![], None);
        loop {
            let own = (!is_lookup(scope)).then_some(CachePolicyType::Custom);
            let page = cloudfront(aws).list_cache_policies().set_type(own).set_marker(marker).send().await?;
            let Some(page) = page.cache_policy_list else { return Ok(found) };
            let policies = page.items.unwrap_or_default().into_iter().filter_map(|summary| summary.cache_policy);
            let lives = policies.filter_map(|policy| Some(live(policy.id, &policy.cache_policy_config?)));
            found.extend(lives.filter(|live| is_wanted(scope, live)));
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let mut config = CachePolicyConfig::builder().name(&desired.name).min_ttl(0).build()?;
        put(&mut config, &desired.spec, &desired.tags)?;
        let made = cloudfront(aws).create_cache_policy().cache_policy_config(config).send().await?;
        let made = made.cache_policy.ok_or_else(|| Error::incomplete("cloudfront.CreateCachePolicy", "cachePolicy"))?;
        Ok(match &made.cache_policy_config {
            Some(config) => live(made.id, config).into(),
            None => Made::unseen(made.id),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        change(aws, live, |config| put(config, &desired.spec, &desired.tags)).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let there = cloudfront(aws).get_cache_policy_config().id(&live.id).send().await?;
        cloudfront(aws).delete_cache_policy().id(&live.id).set_if_match(there.e_tag).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let text = comment::<Self>(live.spec.comment.as_deref(), &retagged(live, tags), COMMENT)?;
        let edit = |config: &mut CachePolicyConfig| {
            config.comment = Some(text);
            Ok(())
        };
        change(aws, live, edit).await
    }
}

/// Reads the configuration with its ETag, edits it, and puts it back whole.
async fn change(
    aws: &Aws,
    live: &Live<CachePolicy>,
    edit: impl FnOnce(&mut CachePolicyConfig) -> Result<()>,
) -> Result<()> {
    let there = cloudfront(aws).get_cache_policy_config().id(&live.id).send().await?;
    let missing = || Error::incomplete("cloudfront.GetCachePolicyConfig", "cache_policyConfig");
    let mut config = there.cache_policy_config.ok_or_else(missing)?;
    edit(&mut config)?;
    let update = cloudfront(aws).update_cache_policy().id(&live.id).set_if_match(there.e_tag);
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
    let CacheKey {
        enable_accept_encoding_gzip,
        enable_accept_encoding_brotli,
        headers_config,
        cookies_config,
        query_strings_config,
    } = key;
    let key = sdk::ParametersInCacheKeyAndForwardedToOrigin::builder()
        .enable_accept_encoding_gzip(*enable_accept_encoding_gzip)
        .enable_accept_encoding_brotli(*enable_accept_encoding_brotli)
        .headers_config(headers_config.try_into()?)
        .cookies_config(cookies_config.try_into()?)
        .query_strings_config(query_strings_config.try_into()?)
        .build()?;
    config.comment = Some(comment::<CachePolicy>(text.as_deref(), tags, COMMENT)?);
    config.min_ttl = *min_ttl;
    config.default_ttl = default_ttl.map(|ttl| *ttl).or(config.default_ttl);
    config.max_ttl = max_ttl.map(|ttl| *ttl).or(config.max_ttl);
    config.parameters_in_cache_key_and_forwarded_to_origin = Some(key);
    Ok(())
}

fn live(id: String, config: &CachePolicyConfig) -> Live<CachePolicy> {
    let (comment, tags) = uncomment::<CachePolicy>(config.comment());
    let mut key = CacheKey::default();
    if let Some(told) = &config.parameters_in_cache_key_and_forwarded_to_origin {
        key = CacheKey {
            enable_accept_encoding_gzip: told.enable_accept_encoding_gzip,
            enable_accept_encoding_brotli: told.enable_accept_encoding_brotli.unwrap_or(false),
            headers_config: told.headers_config.as_ref().map(Into::into).unwrap_or_default(),
            cookies_config: told.cookies_config.as_ref().map(Into::into).unwrap_or_default(),
            query_strings_config: told.query_strings_config.as_ref().map(Into::into).unwrap_or_default(),
        };
    }
    let spec = CachePolicy {
        comment,
        min_ttl: config.min_ttl,
        default_ttl: config.default_ttl.map(Always),
        max_ttl: config.max_ttl.map(Always),
        parameters_in_cache_key_and_forwarded_to_origin: key,
    };
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
            (tag::ADDRESS.into(), "CachePolicy/web".into()),
            (tag::GENERATION.into(), "1".into()),
            (tag::DIGEST.into(), "0123456789abcdef".into()),
        ]);
        let spec: CachePolicy = serde_json::from_str(r#"{"comment": "Images", "minTTL": 1, "parametersInCacheKeyAndForwardedToOrigin": {"headersConfig": {"headerBehavior": "whitelist", "headers": ["Accept"]}}}"#).unwrap();
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
