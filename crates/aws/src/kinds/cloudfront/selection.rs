//! Which headers, cookies and query strings a policy takes in: three records that are alike.

use std::collections::BTreeSet;

use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

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
