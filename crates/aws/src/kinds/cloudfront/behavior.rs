//! The behaviours of a distribution: which requests go where, and how their answers are cached.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::Spec;
use holdfast_core::types::{Always, Arn, Ref};
use serde::{Deserialize, Serialize};

use super::cache_policy::CachePolicy;
use super::origin_request_policy::OriginRequestPolicy;
use super::response_headers_policy::ResponseHeadersPolicy;

/// A Lambda function at the edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LambdaFunctionAssociation {
    /// The ARN of a version of the function, in us-east-1.
    pub(crate) lambda_function: Arn,
    /// Whether it gets the body of requests.
    #[serde(default)]
    pub(crate) include_body: bool,
}

macro_rules! behavior {
    ($(#[$doc:meta])* $name:ident { $($own:tt)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $name {
            $($own)*
            /// The key of the origin, or of the origin group, that answers.
            pub(crate) target_origin: String,
            /// `allow-all`, `https-only` or `redirect-to-https`.
            pub(crate) viewer_protocol_policy: String,
            /// `GET` and `HEAD` (AWS's default), with `OPTIONS`, or with all of `PUT`, `POST`, `PATCH` and `DELETE` too.
            pub(crate) allowed_methods: Option<Always<BTreeSet<String>>>,
            /// Of which methods answers are cached: `GET` and `HEAD` (AWS's default), or `OPTIONS` too.
            pub(crate) cached_methods: Option<Always<BTreeSet<String>>>,
            /// Whether CloudFront compresses answers.
            pub(crate) compress: Option<Always<bool>>,
            /// The cache key and the times. Without one a distribution has the older settings for that, which are left
            /// as they are.
            pub(crate) cache_policy: Option<Ref<CachePolicy>>,
            /// What is sent to the origin beyond the cache key; `null` for nothing.
            pub(crate) origin_request_policy: Option<Ref<OriginRequestPolicy>>,
            /// Which headers answers get; `null` for none.
            pub(crate) response_headers_policy: Option<Ref<ResponseHeadersPolicy>>,
            /// CloudFront functions: their ARNs by event, `viewer-request` and `viewer-response`.
            pub(crate) function_associations: Option<BTreeMap<String, Arn>>,
            /// Lambda functions at the edge by event: `viewer-request`, `viewer-response`, `origin-request`,
            /// `origin-response`.
            pub(crate) lambda_function_associations: Option<BTreeMap<String, LambdaFunctionAssociation>>,
            /// Ids of key groups: who may sign URLs and cookies. Stated and not empty, unsigned requests are refused.
            pub(crate) trusted_key_groups: Option<BTreeSet<String>>,
        }
    };
}

behavior! {
    /// What happens to requests that no other behaviour takes.
    DefaultCacheBehavior {}
}

behavior! {
    /// What happens to requests for some paths. A behaviour that is stated in another place than before is compared
    /// with the one that was there: when their order changes, each has to say all that it means.
    CacheBehavior {
        /// The paths, as in `/images/*.jpg`.
        pub(crate) path_pattern: String,
    }
}
