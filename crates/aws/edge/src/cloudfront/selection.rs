//! The headers, cookies and query strings that a CloudFront policy includes: records of the same shape.

use std::collections::BTreeSet;

use aws_sdk_cloudfront::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

/// Conversion of a record to the SDK's type of one kind of policy.
pub(super) trait ToSdk<T> {
    /// Returns the value of the SDK.
    fn to_sdk(&self) -> Result<T>;
}

/// Declares a record with a behaviour and the names that the behaviour is about, and its conversion to the SDK's types
/// and back.
macro_rules! selection {
    (
        $(#[$doc:meta])*
        $record:ident {
            $(#[$behavior_doc:meta])*
            $behavior:ident: $values:ident,
            $(#[$names_doc:meta])*
            $names:ident, $set:ident: $of:ident,
        }: $($sdk:ident),*
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $record {
            $(#[$behavior_doc])*
            #[spec(one_of = sdk::$values)]
            $behavior: String,
            $(#[$names_doc])*
            $names: Option<BTreeSet<String>>,
        }

        impl Default for $record {
            fn default() -> Self {
                $record { $behavior: "none".into(), $names: None }
            }
        }

        $(
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
                    let names = $names.as_ref().map(|names| items!(sdk::$of::builder(), names.clone()));
                    let built = sdk::$sdk::builder().$behavior($behavior.as_str().into()).$set(names.transpose()?);
                    Ok(built.build()?)
                }
            }
        )*
    };
}

selection! {
    /// The headers of the cache key.
    CachePolicyHeadersConfig {
        /// The header behaviour: `none`, or `whitelist` for the named headers.
        header_behavior: CachePolicyHeaderBehavior,
        /// The names of the headers, for `whitelist`.
        headers, set_headers: Headers,
    }: CachePolicyHeadersConfig
}

selection! {
    /// The headers that CloudFront sends to the origin.
    OriginRequestPolicyHeadersConfig {
        /// The header behaviour: `none`, `whitelist` for the named headers, `allViewer` for all headers of the viewer,
        /// `allViewerAndWhitelistCloudFront` for these and the named headers of CloudFront, or `allExcept` for all
        /// headers of the viewer but the named ones.
        header_behavior: OriginRequestPolicyHeaderBehavior,
        /// The names of the headers, for a behaviour that names them.
        headers, set_headers: Headers,
    }: OriginRequestPolicyHeadersConfig
}

selection! {
    /// The cookies that a policy includes.
    CookiesConfig {
        /// The cookie behaviour: `none`, `whitelist` for the named cookies, `allExcept` for all but the named ones, or
        /// `all`.
        cookie_behavior: CachePolicyCookieBehavior,
        /// The names of the cookies, for a behaviour that names them.
        cookies, set_cookies: CookieNames,
    }: CachePolicyCookiesConfig, OriginRequestPolicyCookiesConfig
}

selection! {
    /// The query strings that a policy includes.
    QueryStringsConfig {
        /// The query string behaviour: `none`, `whitelist` for the named query strings, `allExcept` for all but the
        /// named ones, or `all`.
        query_string_behavior: CachePolicyQueryStringBehavior,
        /// The names of the query strings, for a behaviour that names them.
        query_strings, set_query_strings: QueryStringNames,
    }: CachePolicyQueryStringsConfig, OriginRequestPolicyQueryStringsConfig
}
