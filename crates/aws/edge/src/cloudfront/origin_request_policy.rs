//! OriginRequestPolicy: what is sent to the origin.

use aws_sdk_cloudfront::types::{OriginRequestPolicyConfig, OriginRequestPolicyType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::tagging::Tags;
use holdfast_core::Spec;
use holdfast_core::schema::{Claim, CreateClass, Naming, Tier};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::selection::{CookiesConfig, HeadersConfig, QueryStringsConfig};
use super::{COMMENT, cloudfront, comment, is_lookup, is_wanted, retagged, uncomment};

/// What is sent to the origin beyond the cache key. AWS has policies of its own, which a document looks up by
/// name: `OriginRequestPolicy/all: { name: Managed-AllViewer, lifecycle: { manage: observe } }`
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html>).
/// It has no tags; its owner stands at the end of its comment.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginRequestPolicy {
    /// What people read about it; with the owner's mark at most 128 characters.
    comment: Option<String>,
    /// Headers: `none` (the default), `whitelist`, `allViewer`, `allViewerAndWhitelistCloudFront` or `allExcept`.
    #[serde(default)]
    headers_config: HeadersConfig,
    /// Cookies: `none` (the default), `whitelist`, `all` or `allExcept`.
    #[serde(default)]
    cookies_config: CookiesConfig,
    /// Query strings: `none` (the default), `whitelist`, `all` or `allExcept`.
    #[serde(default)]
    query_strings_config: QueryStringsConfig,
}

impl Kind for OriginRequestPolicy {
    type Status = ();
    const TIER: Tier = Tier::Edge;
    const CLAIM: Claim = Claim::Mark { key: &[] };
    const NAMING: Naming = Naming::limit(128);
    const CLASS: CreateClass = CreateClass::Name;
    const GLOBAL: bool = true;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let (mut found, mut marker) = (vec![], None);
        loop {
            let own = (!is_lookup(scope)).then_some(OriginRequestPolicyType::Custom);
            let page = cloudfront(aws).list_origin_request_policies().set_type(own).set_marker(marker).send().await?;
            let Some(page) = page.origin_request_policy_list else { return Ok(found) };
            let policies =
                page.items.unwrap_or_default().into_iter().filter_map(|summary| summary.origin_request_policy);
            let lives = policies.filter_map(|policy| Some(live(policy.id, &policy.origin_request_policy_config?)));
            found.extend(lives.filter(|live| is_wanted(scope, live)));
            marker = page.next_marker;
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let mut config = OriginRequestPolicyConfig::builder().name(&desired.name).build()?;
        put(&mut config, &desired.spec, &desired.tags)?;
        let made = cloudfront(aws).create_origin_request_policy().origin_request_policy_config(config).send().await?;
        let missing = || Error::incomplete("cloudfront.CreateOriginRequestPolicy", "originRequestPolicy");
        let made = made.origin_request_policy.ok_or_else(missing)?;
        Ok(match &made.origin_request_policy_config {
            Some(config) => live(made.id, config).into(),
            None => Made::unseen(made.id),
        })
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        change(aws, live, |config| put(config, &desired.spec, &desired.tags)).await
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let there = cloudfront(aws).get_origin_request_policy_config().id(&live.id).send().await?;
        cloudfront(aws).delete_origin_request_policy().id(&live.id).set_if_match(there.e_tag).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let text = comment::<Self>(live.spec.comment.as_deref(), &retagged(live, tags), COMMENT)?;
        let edit = |config: &mut OriginRequestPolicyConfig| {
            config.comment = Some(text);
            Ok(())
        };
        change(aws, live, edit).await
    }
}

/// Reads the configuration with its ETag, edits it, and puts it back whole.
async fn change(
    aws: &Aws,
    live: &Live<OriginRequestPolicy>,
    edit: impl FnOnce(&mut OriginRequestPolicyConfig) -> Result<()>,
) -> Result<()> {
    let there = cloudfront(aws).get_origin_request_policy_config().id(&live.id).send().await?;
    let missing = || Error::incomplete("cloudfront.GetOriginRequestPolicyConfig", "origin_request_policyConfig");
    let mut config = there.origin_request_policy_config.ok_or_else(missing)?;
    edit(&mut config)?;
    let update = cloudfront(aws).update_origin_request_policy().id(&live.id).set_if_match(there.e_tag);
    update.origin_request_policy_config(config).send().await?;
    Ok(())
}

fn put(config: &mut OriginRequestPolicyConfig, spec: &OriginRequestPolicy, tags: &Tags) -> Result<()> {
    let OriginRequestPolicy { comment: text, headers_config, cookies_config, query_strings_config } = spec;
    config.comment = Some(comment::<OriginRequestPolicy>(text.as_deref(), tags, COMMENT)?);
    config.headers_config = Some(headers_config.try_into()?);
    config.cookies_config = Some(cookies_config.try_into()?);
    config.query_strings_config = Some(query_strings_config.try_into()?);
    Ok(())
}

fn live(id: String, config: &OriginRequestPolicyConfig) -> Live<OriginRequestPolicy> {
    let (comment, tags) = uncomment::<OriginRequestPolicy>(config.comment());
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
    fn the_owner_stands_behind_the_comment() -> Result<()> {
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
