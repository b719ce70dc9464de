//! ResponseHeadersPolicy: headers that CloudFront adds to responses or removes from them.

mod spec;
mod wire;

use aws_sdk_cloudfront::types::{ResponseHeadersPolicyConfig, ResponseHeadersPolicyType};
use holdfast_base::error::Result;
use holdfast_core::schema::relation::{
    Condition::Is,
    Demand::{AnyOf, Excludes, Needs},
    Relation, demand,
};

pub(crate) use self::spec::ResponseHeadersPolicy;
use super::policy::{Policy, policy_calls, policy_kind, policy_list};

/// The combinations that CloudFront refuses.
const RELATIONS: &[Relation] = &[
    // https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ResponseHeadersPolicyConfig.html
    demand(AnyOf(&[
        "corsConfig",
        "securityHeadersConfig",
        "serverTimingHeadersConfig",
        "customHeadersConfig",
        "removeHeadersConfig",
    ])),
    // https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ResponseHeadersPolicyXSSProtection.html
    demand(Excludes("reportUri")).when(&[Is("modeBlock", &["true"])]).at("securityHeadersConfig.xssProtection"),
    demand(Needs("samplingRate")).when(&[Is("enabled", &["true"])]).at("serverTimingHeadersConfig"),
];

policy_kind!(ResponseHeadersPolicy, 128, RELATIONS);

impl Policy for ResponseHeadersPolicy {
    type Config = ResponseHeadersPolicyConfig;

    policy_list!(
        list_response_headers_policies.response_headers_policy_list,
        ResponseHeadersPolicyType,
        response_headers_policy.response_headers_policy_config
    );
    policy_calls!(
        create_response_headers_policy,
        get_response_headers_policy_config,
        update_response_headers_policy,
        delete_response_headers_policy,
        response_headers_policy.response_headers_policy_config.comment
    );

    fn new(name: &str) -> Result<ResponseHeadersPolicyConfig> {
        Ok(ResponseHeadersPolicyConfig::builder().name(name).build()?)
    }

    fn put(&self, config: &mut ResponseHeadersPolicyConfig) -> Result<()> {
        wire::put(config, self)
    }

    fn from_response(config: &ResponseHeadersPolicyConfig, comment: Option<String>) -> Self {
        ResponseHeadersPolicy { comment, ..wire::from_response(config) }
    }
}
