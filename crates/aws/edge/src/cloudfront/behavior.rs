//! The behaviours of a distribution: which requests go where, and how their answers are cached.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use holdfast_core::types::{Always, Arn, Ref};
use serde::{Deserialize, Serialize};

use super::cache_policy::CachePolicy;
use super::origin_request_policy::OriginRequestPolicy;
use super::response_headers_policy::ResponseHeadersPolicy;
use super::{list, quantity};

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
    ($(#[$doc:meta])* $name:ident { $($(#[$own:meta])* $key:ident)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
        #[serde(rename_all = "camelCase")]
        pub(crate) struct $name {
            $($(#[$own])* pub(crate) $key: String,)?
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
            pub(crate) function_associations: Option<Always<BTreeMap<String, Arn>>>,
            /// Lambda functions at the edge by event: `viewer-request`, `viewer-response`, `origin-request`,
            /// `origin-response`.
            pub(crate) lambda_function_associations: Option<Always<BTreeMap<String, LambdaFunctionAssociation>>>,
            /// Ids of key groups: who may sign URLs and cookies. Stated and not empty, unsigned requests are refused.
            pub(crate) trusted_key_groups: Option<Always<BTreeSet<String>>>,
        }

        impl $name {
            /// Writes it into the one that is there. `merged` says that what is not stated here is not there either,
            /// and not only not said.
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
                let reference = |to: Option<String>, there: &mut Option<String>| {
                    if to.is_some() || merged {
                        *there = to;
                    }
                };
                reference(cache_policy.as_ref().map(Ref::to_string), &mut raw.cache_policy_id);
                reference(origin_request_policy.as_ref().map(Ref::to_string), &mut raw.origin_request_policy_id);
                reference(response_headers_policy.as_ref().map(Ref::to_string), &mut raw.response_headers_policy_id);
                if raw.cache_policy_id.is_some() {
                    // AWS refuses the older settings beside a policy.
                    #[expect(deprecated, reason = "what is deprecated has to go, and needs to be named for that")]
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
                    let groups = list(groups);
                    let built = sdk::TrustedKeyGroups::builder().enabled(!groups.is_empty());
                    raw.trusted_key_groups = Some(built.quantity(quantity(&groups)).set_items(Some(groups)).build()?);
                }
                Ok(())
            }

            /// The behaviour as AWS tells it.
            pub(super) fn live(told: &sdk::$name) -> $name {
                let methods = told.allowed_methods.as_ref();
                let cached = methods.and_then(|m| m.cached_methods.as_ref());
                let set = |of: &[sdk::Method]| Always(of.iter().map(|m| m.as_str().to_owned()).collect());
                let policy = |id: &Option<String>| id.clone().filter(|id| !id.is_empty());
                $name {
                    $($key: told.$key.clone(),)?
                    target_origin: told.target_origin_id.clone(),
                    viewer_protocol_policy: told.viewer_protocol_policy.as_str().to_owned(),
                    allowed_methods: methods.map(|m| set(m.items())),
                    cached_methods: cached.map(|m| set(m.items())),
                    compress: told.compress.map(Always),
                    cache_policy: policy(&told.cache_policy_id).map(Ref::new),
                    origin_request_policy: policy(&told.origin_request_policy_id).map(Ref::new),
                    response_headers_policy: policy(&told.response_headers_policy_id).map(Ref::new),
                    function_associations: Some(Always(functions(told.function_associations.as_ref()))),
                    lambda_function_associations: Some(Always(lambdas(told.lambda_function_associations.as_ref()))),
                    trusted_key_groups: Some(Always(
                        told.trusted_key_groups.iter().flat_map(|groups| groups.items()).cloned().collect(),
                    )),
                }
            }
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
        path_pattern
    }
}

type Lambdas = BTreeMap<String, LambdaFunctionAssociation>;

fn methods(
    there: Option<sdk::AllowedMethods>,
    allowed: Option<&BTreeSet<String>>,
    cached: Option<&BTreeSet<String>>,
) -> Result<sdk::AllowedMethods> {
    let stated = |of: Option<&BTreeSet<String>>| -> Option<Vec<sdk::Method>> {
        of.map(|of| of.iter().map(|method| method.as_str().into()).collect())
    };
    let usual = || vec![sdk::Method::Get, sdk::Method::Head];
    let before = there.as_ref().and_then(|there| there.cached_methods.as_ref()).map(|cached| cached.items.clone());
    let cached = stated(cached).or(before).unwrap_or_else(usual);
    let allowed = stated(allowed).or(there.map(|there| there.items)).unwrap_or_else(usual);
    let cached = sdk::CachedMethods::builder().quantity(quantity(&cached)).set_items(Some(cached)).build()?;
    let built = sdk::AllowedMethods::builder().quantity(quantity(&allowed)).set_items(Some(allowed));
    Ok(built.cached_methods(cached).build()?)
}

fn functions_sdk(stated: &BTreeMap<String, Arn>) -> Result<sdk::FunctionAssociations> {
    let one = |(event, function): (&String, &Arn)| {
        sdk::FunctionAssociation::builder().event_type(event.as_str().into()).function_arn(&function.0).build()
    };
    let items = stated.iter().map(one).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(sdk::FunctionAssociations::builder().quantity(quantity(&items)).set_items(Some(items)).build()?)
}

fn functions(told: Option<&sdk::FunctionAssociations>) -> BTreeMap<String, Arn> {
    let items = told.map(|told| told.items()).unwrap_or_default().iter();
    items.map(|one| (one.event_type.as_str().to_owned(), Arn(one.function_arn.clone()))).collect()
}

fn lambdas_sdk(stated: &Lambdas) -> Result<sdk::LambdaFunctionAssociations> {
    let one = |(event, LambdaFunctionAssociation { lambda_function, include_body }): (&String, &_)| {
        let built = sdk::LambdaFunctionAssociation::builder().event_type(event.as_str().into());
        let lambda_function: &Arn = lambda_function;
        built.lambda_function_arn(&lambda_function.0).include_body(*include_body).build()
    };
    let items = stated.iter().map(one).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(sdk::LambdaFunctionAssociations::builder().quantity(quantity(&items)).set_items(Some(items)).build()?)
}

fn lambdas(told: Option<&sdk::LambdaFunctionAssociations>) -> Lambdas {
    let items = told.map(|told| told.items()).unwrap_or_default().iter();
    let one = |one: &sdk::LambdaFunctionAssociation| LambdaFunctionAssociation {
        lambda_function: Arn(one.lambda_function_arn.clone()),
        include_body: one.include_body.unwrap_or(false),
    };
    items.map(|of| (of.event_type.as_str().to_owned(), one(of))).collect()
}
