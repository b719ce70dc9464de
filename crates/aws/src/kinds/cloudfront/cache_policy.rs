//! CachePolicy: what makes two requests the same to the cache.

use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::Always;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::selection::{CookiesConfig, HeadersConfig, QueryStringsConfig};
use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

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

/// What only AWS knows of a CachePolicy.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CachePolicyStatus {
    /// Its ARN.
    arn: String,
}

impl Kind for CachePolicy {
    type Status = CachePolicyStatus;
    const TIER: Tier = Tier::Edge;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("CachePolicy", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("CachePolicy", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("CachePolicy", "this kind is not there yet"))
    }
}
