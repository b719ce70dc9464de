//! Which headers, cookies and query strings a policy takes in: three records that are alike.

use std::collections::BTreeSet;

use aws_sdk_cloudfront::types as sdk;
use holdfast_base::error::{Error, Result};
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

use super::{list, quantity};

/// Headers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HeadersConfig {
    /// Which: `none`, `whitelist` for those that are named, and what the policy's page says further.
    pub(super) header_behavior: String,
    /// Their names, where they are named.
    pub(super) headers: Option<BTreeSet<String>>,
}

impl Default for HeadersConfig {
    fn default() -> Self {
        HeadersConfig { header_behavior: "none".into(), headers: None }
    }
}

/// Cookies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CookiesConfig {
    /// Which: `none`, `whitelist` for those that are named, and what the policy's page says further.
    pub(super) cookie_behavior: String,
    /// Their names, where they are named.
    pub(super) cookies: Option<BTreeSet<String>>,
}

impl Default for CookiesConfig {
    fn default() -> Self {
        CookiesConfig { cookie_behavior: "none".into(), cookies: None }
    }
}

/// Query strings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueryStringsConfig {
    /// Which: `none`, `whitelist` for those that are named, and what the policy's page says further.
    pub(super) query_string_behavior: String,
    /// Their names, where they are named.
    pub(super) query_strings: Option<BTreeSet<String>>,
}

impl Default for QueryStringsConfig {
    fn default() -> Self {
        QueryStringsConfig { query_string_behavior: "none".into(), query_strings: None }
    }
}

macro_rules! selection {
    ($record:ident { $behavior:ident, $names:ident, $set:ident: $of:ident }: $($sdk:ident),*) => {$(
        impl From<&sdk::$sdk> for $record {
            fn from(told: &sdk::$sdk) -> Self {
                let names = told.$names.as_ref().map(|names| names.items().iter().cloned().collect::<BTreeSet<_>>());
                let names = names.filter(|names| !names.is_empty());
                $record { $behavior: told.$behavior.as_str().to_owned(), $names: names }
            }
        }

        impl TryFrom<&$record> for sdk::$sdk {
            type Error = Error;

            fn try_from(stated: &$record) -> Result<Self> {
                let $record { $behavior, $names } = stated;
                let names = $names.as_ref().map(|names| {
                    sdk::$of::builder().quantity(quantity(&list(names))).set_items(Some(list(names))).build()
                });
                let built = sdk::$sdk::builder().$behavior($behavior.as_str().into()).$set(names.transpose()?);
                Ok(built.build()?)
            }
        }
    )*};
}

selection!(HeadersConfig { header_behavior, headers, set_headers: Headers }:
    CachePolicyHeadersConfig, OriginRequestPolicyHeadersConfig);
selection!(CookiesConfig { cookie_behavior, cookies, set_cookies: CookieNames }:
    CachePolicyCookiesConfig, OriginRequestPolicyCookiesConfig);
selection!(QueryStringsConfig { query_string_behavior, query_strings, set_query_strings: QueryStringNames }:
    CachePolicyQueryStringsConfig, OriginRequestPolicyQueryStringsConfig);
