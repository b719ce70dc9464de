//! OriginRequestPolicy: what is sent to the origin.

use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::selection::{CookiesConfig, HeadersConfig, QueryStringsConfig};
use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};

/// What is sent to the origin beyond the cache key. AWS has policies of its own, which a document looks up by
/// name: `OriginRequestPolicy/all: { name: Managed-AllViewer, lifecycle: { manage: observe } }`
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html>).
/// It has no tags; its owner stands at the end of its comment.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginRequestPolicy {
    /// What people read about it; with the owner's mark at most 128 characters.
    comment: Option<String>,
    /// Headers: `none` (the default), `whitelist`, `allViewer`, `allViewerAndWhitelistCloudFront` or `allExcept`.
    #[serde(default)]
    headers_config: HeadersConfig,
    /// Cookies: `none` (the default), `whitelist`, `all` or `allExcept`.
    #[serde(default)]
    cookies_config: CookiesConfig,
    /// Query strings: `none` (the default), `whitelist`, `all` or `allExcept`.
    #[serde(default)]
    query_strings_config: QueryStringsConfig,
}

/// What only AWS knows of a OriginRequestPolicy.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginRequestPolicyStatus {
    /// Its ARN.
    arn: String,
}

impl Kind for OriginRequestPolicy {
    type Status = OriginRequestPolicyStatus;
    const TIER: Tier = Tier::Edge;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("OriginRequestPolicy", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("OriginRequestPolicy", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("OriginRequestPolicy", "this kind is not there yet"))
    }
}
