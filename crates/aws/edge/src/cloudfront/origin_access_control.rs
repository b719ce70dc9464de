//! OriginAccessControl: how CloudFront signs requests to a private origin.

use aws_sdk_cloudfront::types::{self as sdk, OriginAccessControlConfig};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::sdk::all;
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

use super::cloudfront;
use super::policy::{Policy, policy_calls, policy_kind};

/// An origin access control (OAC) of CloudFront: how CloudFront signs its requests to a private origin.
///
/// A private bucket is such an origin. Its bucket policy can then allow one distribution only
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html>).
///
/// An origin access control has no tags. Its owner marker is stored at the end of its description.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginAccessControl {
    /// The description for people; at most 256 characters including the owner marker.
    #[spec(length = ..=256)]
    description: Option<String>,
    /// The type of the origin. Holdfast's default is `s3`.
    #[serde(default = "s3")]
    #[spec(one_of = sdk::OriginAccessControlOriginTypes)]
    origin_access_control_origin_type: String,
    /// The signing behaviour: `always` (Holdfast's default, and AWS's recommendation), `never`, or `no-override` to
    /// sign only requests that are not signed yet.
    #[serde(default = "always")]
    #[spec(one_of = sdk::OriginAccessControlSigningBehaviors)]
    signing_behavior: String,
    /// The signing protocol: `sigv4`, the only one, which is Holdfast's default.
    #[serde(default = "sigv4")]
    #[spec(one_of = sdk::OriginAccessControlSigningProtocols)]
    signing_protocol: String,
}

fn s3() -> String {
    "s3".into()
}

fn always() -> String {
    "always".into()
}

fn sigv4() -> String {
    "sigv4".into()
}

policy_kind!(OriginAccessControl, 64, &[]);

impl Policy for OriginAccessControl {
    type Config = OriginAccessControlConfig;
    /// The maximum length of a description
    /// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_OriginAccessControlConfig.html>).
    const TEXT_LIMIT: usize = 256;

    policy_calls!(
        create_origin_access_control,
        get_origin_access_control_config,
        update_origin_access_control,
        delete_origin_access_control,
        origin_access_control.origin_access_control_config.description
    );

    async fn list(aws: &Aws, _managed: bool) -> Result<Vec<(String, OriginAccessControlConfig)>> {
        let listed = all(cloudfront(aws).list_origin_access_controls().into_paginator().items().send()).await?;
        let config = |summary: sdk::OriginAccessControlSummary| {
            let config = OriginAccessControlConfig::builder()
                .name(summary.name)
                .description(summary.description)
                .origin_access_control_origin_type(summary.origin_access_control_origin_type)
                .signing_behavior(summary.signing_behavior)
                .signing_protocol(summary.signing_protocol);
            Ok((summary.id, config.build()?))
        };
        listed.into_iter().map(config).collect()
    }

    fn new(name: &str) -> Result<OriginAccessControlConfig> {
        let config = OriginAccessControlConfig::builder().name(name).signing_protocol(sigv4().as_str().into());
        let config = config.signing_behavior(always().as_str().into());
        Ok(config.origin_access_control_origin_type(s3().as_str().into()).build()?)
    }

    fn put(&self, config: &mut OriginAccessControlConfig) -> Result<()> {
        let OriginAccessControl {
            description: _,
            origin_access_control_origin_type,
            signing_behavior,
            signing_protocol,
        } = self;
        config.origin_access_control_origin_type = origin_access_control_origin_type.as_str().into();
        config.signing_behavior = signing_behavior.as_str().into();
        config.signing_protocol = signing_protocol.as_str().into();
        Ok(())
    }

    fn from_response(config: &OriginAccessControlConfig, description: Option<String>) -> Self {
        OriginAccessControl {
            description,
            origin_access_control_origin_type: config.origin_access_control_origin_type.as_str().to_owned(),
            signing_behavior: config.signing_behavior.as_str().to_owned(),
            signing_protocol: config.signing_protocol.as_str().to_owned(),
        }
    }
}
