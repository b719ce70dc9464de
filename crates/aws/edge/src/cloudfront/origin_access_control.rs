//! OriginAccessControl: how CloudFront signs requests to a private origin.

use aws_sdk_cloudfront::types::{self as sdk, OriginAccessControlConfig};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::sdk::all;
use holdfast_base::tagging::Tags;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Ownership, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::{cloudfront, is_requested, join_comment, split_comment, tags_after};

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
    description: Option<String>,
    /// The type of the origin: `s3` (Holdfast's default), `mediastore`, `mediapackagev2` or `lambda`.
    #[serde(default = "s3")]
    origin_access_control_origin_type: String,
    /// The signing behaviour: `always` (Holdfast's default, and AWS's recommendation), `never`, or `no-override` to
    /// sign only requests that are not signed yet.
    #[serde(default = "always")]
    signing_behavior: String,
    /// The signing protocol: `sigv4`, the only one, which is Holdfast's default.
    #[serde(default = "sigv4")]
    signing_protocol: String,
}

/// The maximum length of a description in characters
/// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_OriginAccessControlConfig.html>).
const DESCRIPTION_LIMIT: usize = 256;

fn s3() -> String {
    "s3".into()
}

fn always() -> String {
    "always".into()
}

fn sigv4() -> String {
    "sigv4".into()
}

impl Kind for OriginAccessControl {
    type Status = ();
    const TIER: Tier = Tier::Edge;
    const OWNERSHIP: Ownership = Ownership::EmbeddedMarker { key: &[] };
    const NAMING: NamingRules = NamingRules::limit(64);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let list = cloudfront(aws).list_origin_access_controls().into_paginator().items().send();
        let list = all(list).await?;
        Ok(list.iter().map(live).filter(|live| is_requested(scope, live)).collect())
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let mut config = new_config(&desired.name)?;
        put(&mut config, &desired.spec, &desired.tags)?;
        let output = cloudfront(aws).create_origin_access_control().origin_access_control_config(config).send().await?;
        let missing = || Error::incomplete("cloudfront.CreateOriginAccessControl", "originAccessControl");
        let control = output.origin_access_control.ok_or_else(missing)?;
        let Some(config) = control.origin_access_control_config else { return Ok(Created::unobserved(control.id)) };
        let summary = sdk::OriginAccessControlSummary::builder()
            .id(control.id)
            .name(config.name)
            .description(config.description.unwrap_or_default())
            .signing_protocol(config.signing_protocol)
            .signing_behavior(config.signing_behavior)
            .origin_access_control_origin_type(config.origin_access_control_origin_type);
        Ok(live(&summary.build()?).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        change(aws, live, |config| put(config, &desired.spec, &desired.tags)).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let current = cloudfront(aws).get_origin_access_control_config().id(&live.id).send().await?;
        cloudfront(aws).delete_origin_access_control().id(&live.id).set_if_match(current.e_tag).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        let text = join_comment::<Self>(live.spec.description.as_deref(), &tags_after(live, tags), DESCRIPTION_LIMIT)?;
        let edit = |config: &mut OriginAccessControlConfig| {
            config.description = Some(text);
            Ok(())
        };
        change(aws, live, edit).await
    }
}

fn new_config(name: &str) -> Result<OriginAccessControlConfig> {
    let config = OriginAccessControlConfig::builder().name(name).signing_protocol(sigv4().as_str().into());
    let config = config.signing_behavior(always().as_str().into());
    Ok(config.origin_access_control_origin_type(s3().as_str().into()).build()?)
}

/// Reads the configuration with its ETag, edits it, and writes it back as a whole.
async fn change(
    aws: &Aws,
    live: &Live<OriginAccessControl>,
    edit: impl FnOnce(&mut OriginAccessControlConfig) -> Result<()>,
) -> Result<()> {
    let current = cloudfront(aws).get_origin_access_control_config().id(&live.id).send().await?;
    let missing = || Error::incomplete("cloudfront.GetOriginAccessControlConfig", "originAccessControlConfig");
    let mut config = current.origin_access_control_config.ok_or_else(missing)?;
    edit(&mut config)?;
    let update = cloudfront(aws).update_origin_access_control().id(&live.id).set_if_match(current.e_tag);
    update.origin_access_control_config(config).send().await?;
    Ok(())
}

fn put(config: &mut OriginAccessControlConfig, spec: &OriginAccessControl, tags: &Tags) -> Result<()> {
    let OriginAccessControl { description, origin_access_control_origin_type, signing_behavior, signing_protocol } =
        spec;
    config.description = Some(join_comment::<OriginAccessControl>(description.as_deref(), tags, DESCRIPTION_LIMIT)?);
    config.origin_access_control_origin_type = origin_access_control_origin_type.as_str().into();
    config.signing_behavior = signing_behavior.as_str().into();
    config.signing_protocol = signing_protocol.as_str().into();
    Ok(())
}

fn live(control: &sdk::OriginAccessControlSummary) -> Live<OriginAccessControl> {
    let (description, tags) = split_comment::<OriginAccessControl>(Some(&control.description));
    let spec = OriginAccessControl {
        description,
        origin_access_control_origin_type: control.origin_access_control_origin_type.as_str().to_owned(),
        signing_behavior: control.signing_behavior.as_str().to_owned(),
        signing_protocol: control.signing_protocol.as_str().to_owned(),
    };
    Live::new(&control.id, &control.name, spec, ()).tags(tags)
}

#[cfg(test)]
mod tests {
    use holdfast_core::observed::tag;

    use super::*;

    #[test]
    fn an_owner_marker_that_does_not_fit_is_refused() {
        let spec = OriginAccessControl {
            description: Some("long".repeat(60)),
            origin_access_control_origin_type: s3(),
            signing_behavior: always(),
            signing_protocol: sigv4(),
        };
        let tags = Tags::from([(tag::ADDRESS.into(), "OriginAccessControl/assets".into())]);
        let put = |text: &str| {
            put(&mut new_config("web")?, &OriginAccessControl { description: Some(text.into()), ..spec.clone() }, &tags)
        };
        assert!(put("short").is_ok());
        assert!(put(&"long".repeat(63)).is_err());
    }
}
