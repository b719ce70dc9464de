//! OriginRequestPolicy: the values that CloudFront sends to the origin.

use aws_sdk_cloudfront::types::{OriginRequestPolicyConfig, OriginRequestPolicyType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::tagging::Tags;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Ownership, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::selection::{CookiesConfig, HeadersConfig, QueryStringsConfig, ToSdk as _};
use super::{COMMENT_LIMIT, cloudfront, is_requested, join_comment, may_request_managed, split_comment, tags_after};

/// A CloudFront origin request policy: the values that CloudFront sends to the origin beyond the cache key.
///
/// AWS provides managed policies. A document looks them up by name:
/// `OriginRequestPolicy/all: { name: Managed-AllViewer, lifecycle: { manage: observe } }`
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html>).
///
/// An origin request policy has no tags. Its owner marker is stored at the end of its comment.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginRequestPolicy {
    /// The comment for people; at most 128 characters including the owner marker.
    comment: Option<String>,
    /// The headers: `none` (the default), `whitelist`, `allViewer`, `allViewerAndWhitelistCloudFront` or `allExcept`.
    #[serde(default)]
    headers_config: HeadersConfig,
    /// The cookies: `none` (the default), `whitelist`, `all` or `allExcept`.
    #[serde(default)]
    cookies_config: CookiesConfig,
    /// The query strings: `none` (the default), `whitelist`, `all` or `allExcept`.
    #[serde(default)]
    query_strings_config: QueryStringsConfig,
}

impl Kind for OriginRequestPolicy {
    type Status = ();
    const TIER: Tier = Tier::Edge;
    const OWNERSHIP: Ownership = Ownership::EmbeddedMarker { key: &[] };
    const NAMING: NamingRules = NamingRules::limit(128);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let (mut found, mut marker) = (vec![], None);
        loop {
            let own = (!may_request_managed(scope)).then_some(OriginRequestPolicyType::Custom);
            let page = cloudfront(aws).list_origin_request_policies().set_type(own).set_marker(marker).send().await?;
            let Some(page) = page.origin_request_policy_list else { return Ok(found) };
            let policies =
                page.items.unwrap_or_default().into_iter().filter_map(|summary| summary.origin_request_policy);
            let lives = policies.filter_map(|policy| Some(live(policy.id, &policy.origin_request_policy_config?)));
            found.extend(lives.filter(|live| is_requested(scope, live)));
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let mut config = OriginRequestPolicyConfig::builder().name(&desired.name).build()?;
        put(&mut config, &desired.spec, &desired.tags)?;
        let output = cloudfront(aws).create_origin_request_policy().origin_request_policy_config(config).send().await?;
        let missing = || Error::incomplete("cloudfront.CreateOriginRequestPolicy", "originRequestPolicy");
        let policy = output.origin_request_policy.ok_or_else(missing)?;
        Ok(match &policy.origin_request_policy_config {
            Some(config) => live(policy.id, config).into(),
            None => Created::unobserved(policy.id),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        change(aws, live, |config| put(config, &desired.spec, &desired.tags)).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let current = cloudfront(aws).get_origin_request_policy_config().id(&live.id).send().await?;
        cloudfront(aws).delete_origin_request_policy().id(&live.id).set_if_match(current.e_tag).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        let text = join_comment::<Self>(live.spec.comment.as_deref(), &tags_after(live, tags), COMMENT_LIMIT)?;
        let edit = |config: &mut OriginRequestPolicyConfig| {
            config.comment = Some(text);
            Ok(())
        };
        change(aws, live, edit).await
    }
}

/// Reads the configuration with its ETag, edits it, and writes it back as a whole.
async fn change(
    aws: &Aws,
    live: &Live<OriginRequestPolicy>,
    edit: impl FnOnce(&mut OriginRequestPolicyConfig) -> Result<()>,
) -> Result<()> {
    let current = cloudfront(aws).get_origin_request_policy_config().id(&live.id).send().await?;
    let missing = || Error::incomplete("cloudfront.GetOriginRequestPolicyConfig", "originRequestPolicyConfig");
    let mut config = current.origin_request_policy_config.ok_or_else(missing)?;
    edit(&mut config)?;
    let update = cloudfront(aws).update_origin_request_policy().id(&live.id).set_if_match(current.e_tag);
    update.origin_request_policy_config(config).send().await?;
    Ok(())
}

fn put(config: &mut OriginRequestPolicyConfig, spec: &OriginRequestPolicy, tags: &Tags) -> Result<()> {
    let OriginRequestPolicy { comment: text, headers_config, cookies_config, query_strings_config } = spec;
    config.comment = Some(join_comment::<OriginRequestPolicy>(text.as_deref(), tags, COMMENT_LIMIT)?);
    config.headers_config = Some(headers_config.to_sdk()?);
    config.cookies_config = Some(cookies_config.to_sdk()?);
    config.query_strings_config = Some(query_strings_config.to_sdk()?);
    Ok(())
}

fn live(id: String, config: &OriginRequestPolicyConfig) -> Live<OriginRequestPolicy> {
    let (comment, tags) = split_comment::<OriginRequestPolicy>(config.comment());
    let spec = OriginRequestPolicy {
        comment,
        headers_config: config.headers_config.as_ref().map(Into::into).unwrap_or_default(),
        cookies_config: config.cookies_config.as_ref().map(Into::into).unwrap_or_default(),
        query_strings_config: config.query_strings_config.as_ref().map(Into::into).unwrap_or_default(),
    };
    Live::new(id, config.name.clone(), spec, ()).tags(tags)
}

#[cfg(test)]
mod tests {
    use holdfast_core::observed::tag;

    use super::*;

    #[test]
    fn the_owner_marker_follows_the_comment() -> Result<()> {
        let tags = Tags::from([
            (tag::STACK.into(), "shop".into()),
            (tag::ENV.into(), "prod".into()),
            (tag::ADDRESS.into(), "OriginRequestPolicy/web".into()),
            (tag::GENERATION.into(), "1".into()),
            (tag::DIGEST.into(), "0123456789abcdef".into()),
        ]);
        let spec: OriginRequestPolicy =
            serde_json::from_str(r#"{"comment": "All", "queryStringsConfig": {"queryStringBehavior": "all"}}"#)
                .unwrap();
        let mut config = OriginRequestPolicyConfig::builder().name("web").build()?;
        put(&mut config, &spec, &tags)?;
        let live = live("id".into(), &config);
        assert_eq!(
            (live.tags, serde_json::to_value(&live.spec).unwrap()),
            (tags, serde_json::to_value(&spec).unwrap())
        );
        Ok(())
    }
}
