//! The headers, cookies and query strings that a CloudFront policy includes: three records of the same shape.

use std::collections::BTreeSet;

use aws_sdk_cloudfront::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

use super::{list, quantity};

/// The headers that a policy includes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HeadersConfig {
    /// The header behaviour: `none`, `whitelist` for the named headers, or another value that the policy's page lists.
    pub(super) header_behavior: String,
    /// The names of the headers, for a behaviour that names them.
    pub(super) headers: Option<BTreeSet<String>>,
}

impl Default for HeadersConfig {
    fn default() -> Self {
        HeadersConfig { header_behavior: "none".into(), headers: None }
    }
}

/// The cookies that a policy includes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CookiesConfig {
    /// The cookie behaviour: `none`, `whitelist` for the named cookies, or another value that the policy's page lists.
    pub(super) cookie_behavior: String,
    /// The names of the cookies, for a behaviour that names them.
    pub(super) cookies: Option<BTreeSet<String>>,
}

impl Default for CookiesConfig {
    fn default() -> Self {
        CookiesConfig { cookie_behavior: "none".into(), cookies: None }
    }
}

/// The query strings that a policy includes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueryStringsConfig {
    /// The query string behaviour: `none`, `whitelist` for the named query strings, or another value that the policy's
    /// page lists.
    pub(super) query_string_behavior: String,
    /// The names of the query strings, for a behaviour that names them.
    pub(super) query_strings: Option<BTreeSet<String>>,
}

impl Default for QueryStringsConfig {
    fn default() -> Self {
        QueryStringsConfig { query_string_behavior: "none".into(), query_strings: None }
    }
}

/// Conversion of a record to the SDK's type of one kind of policy.
pub(super) trait ToSdk<T> {
    /// Returns the value of the SDK.
    fn to_sdk(&self) -> Result<T>;
}

macro_rules! selection {
    ($record:ident { $behavior:ident, $names:ident, $set:ident: $of:ident }: $($sdk:ident),*) => {$(
        impl From<&sdk::$sdk> for $record {
            fn from(response: &sdk::$sdk) -> Self {
                let names = response.$names.as_ref();
                let names = names.map(|names| names.items().iter().cloned().collect::<BTreeSet<_>>());
                let names = names.filter(|names| !names.is_empty());
                $record { $behavior: response.$behavior.as_str().to_owned(), $names: names }
            }
        }

        impl ToSdk<sdk::$sdk> for $record {
            fn to_sdk(&self) -> Result<sdk::$sdk> {
                let $record { $behavior, $names } = self;
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
