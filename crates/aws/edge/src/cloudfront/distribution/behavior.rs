//! The cache behaviours of a distribution: which requests go to which origin, and how CloudFront caches the responses.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::cloudfront::cache_policy::CachePolicy;
use crate::cloudfront::origin_request_policy::OriginRequestPolicy;
use crate::cloudfront::response_headers_policy::ResponseHeadersPolicy;

/// A Lambda@Edge function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LambdaFunctionAssociation {
    /// The ARN of a version of the function, in us-east-1.
    pub(crate) lambda_function: Arn,
    /// Whether the function receives the body of requests.
    #[serde(default)]
    pub(crate) include_body: bool,
}

macro_rules! behavior {
    ($(#[$doc:meta])* $name:ident { $($(#[$own:meta])* $key:ident)? }) => {
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
        #[serde(rename_all = "camelCase")]
        $(#[$doc])*
        pub(crate) struct $name {
            $($(#[$own])* pub(crate) $key: String,)?
            /// The key of the origin or origin group that serves the requests.
            pub(crate) target_origin: String,
            /// The viewer protocol policy: whether viewers can use HTTP.
            #[spec(one_of = sdk::ViewerProtocolPolicy)]
            pub(crate) viewer_protocol_policy: String,
            /// The allowed HTTP methods: `GET` and `HEAD` (AWS's default), these with `OPTIONS`, or these with
            /// `OPTIONS` and all of `PUT`, `POST`, `PATCH` and `DELETE`.
            #[spec(one_of = sdk::Method)]
            pub(crate) allowed_methods: Option<ServerDefault<BTreeSet<String>>>,
            /// The HTTP methods whose responses CloudFront caches: `GET` and `HEAD` (AWS's default), or `OPTIONS` too.
            #[spec(one_of = sdk::Method)]
            pub(crate) cached_methods: Option<ServerDefault<BTreeSet<String>>>,
            /// Whether CloudFront compresses responses.
            pub(crate) compress: Option<ServerDefault<bool>>,
            /// The cache policy: the cache key and the TTLs. A behaviour without a cache policy has CloudFront's legacy
            /// cache settings, which Holdfast keeps unchanged.
            pub(crate) cache_policy: Option<Ref<CachePolicy>>,
            /// The origin request policy: the values that CloudFront sends to the origin beyond the cache key; `null`
            /// for none.
            pub(crate) origin_request_policy: Option<Ref<OriginRequestPolicy>>,
            /// The response headers policy; `null` for none.
            pub(crate) response_headers_policy: Option<Ref<ResponseHeadersPolicy>>,
            /// The CloudFront functions: their ARNs by event, `viewer-request` and `viewer-response`.
            pub(crate) function_associations: Option<ServerDefault<BTreeMap<String, Arn>>>,
            /// The Lambda@Edge functions by event: `viewer-request`, `viewer-response`, `origin-request`,
            /// `origin-response`.
            pub(crate) lambda_function_associations: Option<ServerDefault<BTreeMap<String, LambdaFunctionAssociation>>>,
            /// The ids of the key groups whose keys may sign URLs and cookies. If the set is stated and not empty,
            /// CloudFront refuses unsigned requests.
            pub(crate) trusted_key_groups: Option<ServerDefault<BTreeSet<String>>>,
        }

        impl $name {
            /// Writes the behaviour into the live one. `merged` means that an absent reference is absent in the desired
            /// state; otherwise an absent reference keeps its live value.
            pub(super) fn put(&self, raw: &mut sdk::$name, merged: bool) -> Result<()> {
                let $name {
                    $($key: _,)?
                    target_origin,
                    viewer_protocol_policy,
                    allowed_methods,
                    cached_methods,
                    compress,
                    cache_policy,
                    origin_request_policy,
                    response_headers_policy,
                    function_associations,
                    lambda_function_associations,
                    trusted_key_groups,
                } = self;
                raw.target_origin_id.clone_from(target_origin);
                raw.viewer_protocol_policy = viewer_protocol_policy.as_str().into();
                if allowed_methods.is_some() || cached_methods.is_some() {
                    raw.allowed_methods = Some(methods(
                        raw.allowed_methods.take(),
                        allowed_methods.as_deref(),
                        cached_methods.as_deref(),
                    )?);
                }
                raw.compress = compress.map(|on| *on).or(raw.compress);
                let reference = |to: Option<String>, live: &mut Option<String>| {
                    if to.is_some() || merged {
                        *live = to;
                    }
                };
                reference(cache_policy.as_ref().map(Ref::to_string), &mut raw.cache_policy_id);
                reference(origin_request_policy.as_ref().map(Ref::to_string), &mut raw.origin_request_policy_id);
                reference(response_headers_policy.as_ref().map(Ref::to_string), &mut raw.response_headers_policy_id);
                if raw.cache_policy_id.is_some() {
                    // CloudFront refuses the legacy settings beside a cache policy.
                    #[expect(deprecated, reason = "the deprecated fields are cleared, so they have to be named")]
                    {
                        (raw.forwarded_values, raw.min_ttl) = (None, None);
                        (raw.default_ttl, raw.max_ttl) = (None, None);
                    }
                }
                if let Some(functions) = function_associations {
                    raw.function_associations = Some(functions_sdk(functions)?);
                }
                if let Some(functions) = lambda_function_associations {
                    raw.lambda_function_associations = Some(lambdas_sdk(functions)?);
                }
                if let Some(groups) = trusted_key_groups {
                    let built = sdk::TrustedKeyGroups::builder().enabled(!groups.is_empty());
                    raw.trusted_key_groups = Some(items!(built, groups.0.clone())?);
                }
                Ok(())
            }

            /// Returns the behaviour that CloudFront returned.
            pub(super) fn from_response(response: &sdk::$name) -> $name {
                let methods = response.allowed_methods.as_ref();
                let cached = methods.and_then(|m| m.cached_methods.as_ref());
                let set = |of: &[sdk::Method]| ServerDefault(of.iter().map(|m| m.as_str().to_owned()).collect());
                let policy = |id: &Option<String>| id.clone().filter(|id| !id.is_empty());
                $name {
                    $($key: response.$key.clone(),)?
                    target_origin: response.target_origin_id.clone(),
                    viewer_protocol_policy: response.viewer_protocol_policy.as_str().to_owned(),
                    allowed_methods: methods.map(|m| set(m.items())),
                    cached_methods: cached.map(|m| set(m.items())),
                    compress: response.compress.map(ServerDefault),
                    cache_policy: policy(&response.cache_policy_id).map(Ref::new),
                    origin_request_policy: policy(&response.origin_request_policy_id).map(Ref::new),
                    response_headers_policy: policy(&response.response_headers_policy_id).map(Ref::new),
                    function_associations: Some(ServerDefault(functions(response.function_associations.as_ref()))),
                    lambda_function_associations: Some(ServerDefault(lambdas(
                        response.lambda_function_associations.as_ref(),
                    ))),
                    trusted_key_groups: Some(ServerDefault(
                        response.trusted_key_groups.iter().flat_map(|groups| groups.items()).cloned().collect(),
                    )),
                }
            }
        }
    };
}

behavior! {
    /// The behaviour for requests that no other cache behaviour matches.
    DefaultCacheBehavior {}
}

behavior! {
    /// The behaviour for requests whose path matches a pattern. The first match applies, so the order is compared too.
    /// A behaviour is identified by its path pattern: settings that the document does not state stay with the pattern.
    #[spec(key = "pathPattern", ordered)]
    CacheBehavior {
        /// The path pattern, as in `/images/*.jpg`.
        path_pattern
    }
}

type Lambdas = BTreeMap<String, LambdaFunctionAssociation>;

fn methods(
    live: Option<sdk::AllowedMethods>,
    allowed: Option<&BTreeSet<String>>,
    cached: Option<&BTreeSet<String>>,
) -> Result<sdk::AllowedMethods> {
    let stated = |of: Option<&BTreeSet<String>>| -> Option<Vec<sdk::Method>> {
        of.map(|of| of.iter().map(|method| method.as_str().into()).collect())
    };
    let default_methods = || vec![sdk::Method::Get, sdk::Method::Head];
    let live_cached = live.as_ref().and_then(|live| live.cached_methods.as_ref()).map(|cached| cached.items.clone());
    let cached = stated(cached).or(live_cached).unwrap_or_else(default_methods);
    let allowed = stated(allowed).or(live.map(|live| live.items)).unwrap_or_else(default_methods);
    let cached = items!(sdk::CachedMethods::builder(), cached)?;
    Ok(items!(sdk::AllowedMethods::builder().cached_methods(cached), allowed)?)
}

fn functions_sdk(stated: &BTreeMap<String, Arn>) -> Result<sdk::FunctionAssociations> {
    let one = |(event, function): (&String, &Arn)| {
        sdk::FunctionAssociation::builder().event_type(event.as_str().into()).function_arn(&function.0).build()
    };
    let items = stated.iter().map(one).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(items!(sdk::FunctionAssociations::builder(), items)?)
}

fn functions(response: Option<&sdk::FunctionAssociations>) -> BTreeMap<String, Arn> {
    let items = response.map(|response| response.items()).unwrap_or_default().iter();
    items.map(|one| (one.event_type.as_str().to_owned(), Arn(one.function_arn.clone()))).collect()
}

fn lambdas_sdk(stated: &Lambdas) -> Result<sdk::LambdaFunctionAssociations> {
    let one = |(event, LambdaFunctionAssociation { lambda_function, include_body }): (&String, &_)| {
        let built = sdk::LambdaFunctionAssociation::builder().event_type(event.as_str().into());
        let lambda_function: &Arn = lambda_function;
        built.lambda_function_arn(&lambda_function.0).include_body(*include_body).build()
    };
    let items = stated.iter().map(one).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(items!(sdk::LambdaFunctionAssociations::builder(), items)?)
}

fn lambdas(response: Option<&sdk::LambdaFunctionAssociations>) -> Lambdas {
    let items = response.map(|response| response.items()).unwrap_or_default().iter();
    let one = |one: &sdk::LambdaFunctionAssociation| LambdaFunctionAssociation {
        lambda_function: Arn(one.lambda_function_arn.clone()),
        include_body: one.include_body.unwrap_or(false),
    };
    items.map(|of| (of.event_type.as_str().to_owned(), one(of))).collect()
}
