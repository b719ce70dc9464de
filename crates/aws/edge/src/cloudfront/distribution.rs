//! Distribution: the web servers at the edge.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, each, is_asked_for};
use holdfast_base::mark;
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::behavior::{CacheBehavior, DefaultCacheBehavior};
use super::origin::{Origin, OriginGroup};
use super::{cloudfront, distribution_wire, list};
use crate::acm::certificate::Certificate;
use crate::wafv2::web_acl::WebAcl;

/// A distribution: the web servers at the edge, in front of buckets and load balancers. Making and changing one
/// takes some minutes. It is named by its `Name` tag, which it gets once it is deployed for the first time: until
/// then it is not ready, and later changes leave it usable while they spread.
///
/// What the document does not say stays as it is, and so do settings that this kind does not know: AWS's own
/// configuration is changed and put back. A behaviour or an origin is known by its path or key.
///
/// Deleting takes two steps: it is disabled, and when that has spread it is deleted.
///
/// A look costs one list, one question to the Tagging API in us-east-1, and the configuration of each that is ours.
/// Other distributions cost nothing, except while one of the document's has no `Name` tag yet or the Tagging API does
/// not know it: then each is asked for its tags.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Distribution {
    /// What people read about it, at most 128 characters. AWS's default is `""`.
    pub(super) comment: Option<Always<String>>,
    /// Whether it answers. Our default is true.
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    /// Its own names, as in `www.example.com`. The certificate has to hold for them.
    pub(super) aliases: Option<BTreeSet<String>>,
    /// What a request for `/` gets, as in `index.html`: without a leading slash.
    pub(super) default_root_object: Option<String>,
    /// `http1.1`, `http2` (AWS's default), `http3` or `http2and3`.
    pub(super) http_version: Option<Always<String>>,
    /// Whether it answers over IPv6. AWS's default in the API is false.
    #[serde(rename = "isIPV6Enabled")]
    pub(super) is_ipv6_enabled: Option<Always<bool>>,
    /// `PriceClass_All` (AWS's default), `PriceClass_200` or `PriceClass_100`: fewer places cost less.
    pub(super) price_class: Option<Always<String>>,
    /// Where answers come from, by keys of the document's choice.
    pub(super) origins: BTreeMap<String, Origin>,
    /// Pairs of origins for fail-over, by keys that behaviours can name as well.
    pub(super) origin_groups: Option<BTreeMap<String, OriginGroup>>,
    /// What happens to requests that no other behaviour takes.
    pub(super) default_cache_behavior: DefaultCacheBehavior,
    /// What happens to requests for some paths: the first one that fits counts.
    pub(super) cache_behaviors: Option<Vec<CacheBehavior>>,
    /// The certificate, and which TLS versions are spoken.
    pub(super) viewer_certificate: Option<Always<ViewerCertificate>>,
    /// From which countries requests are answered.
    pub(super) restrictions: Option<Always<Restrictions>>,
    /// Where requests are logged; `null` for nowhere. The bucket must take ACLs
    /// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html>).
    pub(super) logging: Option<Logging>,
    /// What happens upon errors of the origin, by its status code as a string.
    pub(super) custom_error_responses: Option<BTreeMap<String, CustomErrorResponse>>,
    /// The firewall before it: a web ACL with the scope `CLOUDFRONT`. `null` for none.
    pub(super) web_acl: Option<Ref<WebAcl, Arn>>,
}

/// The certificate, and which TLS versions are spoken
/// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ViewerCertificate.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ViewerCertificate {
    /// True for CloudFront's own certificate, for `*.cloudfront.net`; the other fields say nothing then.
    pub(super) cloud_front_default_certificate: Option<Always<bool>>,
    /// A certificate of ACM in us-east-1, which must be issued.
    pub(super) certificate: Option<Ref<Certificate, Arn>>,
    /// The least TLS version with its ciphers, as in `TLSv1.2_2021`.
    pub(super) minimum_protocol_version: Option<Always<String>>,
    /// `sni-only`, which is our default beside a certificate, or `vip`, which costs 600 dollars a month.
    pub(super) ssl_support_method: Option<Always<String>>,
}

/// From which countries requests are answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Restrictions {
    /// By the country of the viewer.
    pub(super) geo_restriction: GeoRestriction,
}

/// By the country of the viewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GeoRestriction {
    /// `none`, `whitelist` for these countries only, or `blacklist` for all but these.
    pub(super) restriction_type: String,
    /// Codes of two letters, as in `DE`.
    #[serde(default)]
    pub(super) items: BTreeSet<String>,
}

/// Where requests are logged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Logging {
    /// The bucket's name as a host: `logs.s3.amazonaws.com`.
    pub(super) bucket: String,
    /// What the names of log files begin with.
    #[serde(default)]
    pub(super) prefix: String,
    /// Whether cookies are logged.
    #[serde(default)]
    pub(super) include_cookies: bool,
}

/// What happens upon an error of the origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomErrorResponse {
    /// The path of a page that is sent instead.
    pub(super) response_page_path: Option<String>,
    /// The status code that is sent with that page, as a string.
    pub(super) response_code: Option<String>,
    /// How many seconds the error is cached. AWS's default is 10.
    #[serde(rename = "errorCachingMinTTL")]
    pub(super) error_caching_min_ttl: Option<Always<i64>>,
}

fn yes() -> bool {
    true
}

/// What only AWS knows of a Distribution.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DistributionStatus {
    /// Its ARN.
    arn: String,
    /// The name that clients resolve, as in `d111111abcdef8.cloudfront.net`.
    domain_name: String,
    /// The hosted zone of that name, for alias records: the same for all distributions.
    hosted_zone_id: String,
}

/// The hosted zone of all distributions' names
/// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html>).
const HOSTED_ZONE: &str = "Z2FDTNDATAQYW2";

/// The tag that says that Holdfast disabled it in order to delete it.
const DELETING: &str = "holdfast:deleting";

/// AWS's own view, and its version.
struct Raw(sdk::DistributionConfig, Option<String>);

impl Kind for Distribution {
    type Status = DistributionStatus;
    const TIER: Tier = Tier::Edge;
    /// It has its ARN and its domain name from the start: bucket policies and records can name it.
    const EARLY: bool = true;
    const NAMING: Naming = Naming::TAG;
    const CLASS: CreateClass = CreateClass::Token;
    const GLOBAL: bool = true;

    /// Tags stand in no list, so the Tagging API's index tells which are ours. Only while it does not know one that the
    /// document has (it lags behind, or that one is not made yet), all are listed, and those that it does not know are
    /// asked for their tags, one call each.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let there = tagging::of_no_region(aws)?;
        let is = |service: &str, resource: &str| service == "cloudfront" && resource.starts_with("distribution/");
        let look = |arn: String, tags| async move { one(aws, arn.rsplit('/').next().unwrap_or_default(), tags).await };
        if let Some(found) = tagging::known(&there, scope, is, look).await? {
            return Ok(found);
        }
        let list = cloudfront(aws).list_distributions().into_paginator().items().send();
        let list = list.collect::<std::result::Result<Vec<_>, _>>().await?;
        if list.is_empty() {
            return Ok(vec![]);
        }
        let index = tagging::index(&there, scope).await?;
        let known: BTreeMap<&str, &Tags> =
            list.iter().filter_map(|of| Some((of.arn.as_str(), index.get(&of.arn)?))).collect();
        let names: Vec<&str> = known.values().filter_map(|tags| tags.get("Name")).map(String::as_str).collect();
        let (known, unknown) = (&known, tagging::lacks(scope, &names));
        each(&list, |summary| async move {
            let asked_for = is_asked_for(scope, &summary.id, &summary.arn, &distribution_wire::summary(summary)?);
            let tags = match known.get(summary.arn.as_str()) {
                Some(tags) if scope.hints => (*tags).clone(),
                None if !unknown && !asked_for => return Ok(None),
                _ => match tags_of(aws, &summary.arn).await? {
                    Some(tags) => tags,
                    None => return Ok(None),
                },
            };
            if asked_for || scope.is_owned(&tags) { one(aws, &summary.id, tags).await } else { Ok(None) }
        })
        .await
    }

    /// The caller reference is a token: AWS refuses a second distribution with the same. There is no `Name` tag yet:
    /// that it has none tells the first deployment from later ones.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let mut tags = desired.tags.clone();
        tags.remove("Name");
        let reference = mark::reference::<Self>(&desired.tags, &desired.token, 128)?;
        let config = sdk::DistributionConfig::builder().caller_reference(reference).comment("").enabled(true);
        let mut config = config.build()?;
        distribution_wire::put(&mut config, &desired.spec, true)?;
        let config = sdk::DistributionConfigWithTags::builder().distribution_config(config).tags(sdk_tags(&tags)?);
        let made = cloudfront(aws).create_distribution_with_tags().distribution_config_with_tags(config.build());
        let made = made.send().await?;
        let missing = || Error::incomplete("cloudfront.CreateDistributionWithTags", "distribution");
        live(made.distribution.ok_or_else(missing)?, made.e_tag, tags).map(Made::from)
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let Raw(config, version) = live.raw::<Raw>()?;
        let mut config = config.clone();
        let count = |spec: &Self| spec.cache_behaviors.as_ref().map(Vec::len);
        distribution_wire::put(&mut config, &desired.spec, count(&desired.spec) == count(&live.spec))?;
        let update = cloudfront(aws).update_distribution().id(&live.id).set_if_match(version.clone());
        update.distribution_config(config).send().await?;
        if live.tags.contains_key(DELETING) {
            let remove = BTreeSet::from([DELETING.to_owned()]);
            Self::tag(aws, live, &Retag { remove, ..Retag::default() }).await?;
        }
        Ok(())
    }

    /// AWS deletes what is disabled and deployed so; until then it is on its way out
    /// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteDistribution.html>).
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let Raw(config, version) = live.raw::<Raw>()?;
        if !config.enabled && live.phase == Phase::Ready {
            cloudfront(aws).delete_distribution().id(&live.id).set_if_match(version.clone()).send().await?;
            return Ok(());
        }
        let set = BTreeMap::from([(DELETING.to_owned(), "true".to_owned())]);
        Self::tag(aws, live, &Retag { set, ..Retag::default() }).await?;
        if config.enabled {
            let mut config = config.clone();
            config.enabled = false;
            let update = cloudfront(aws).update_distribution().id(&live.id).set_if_match(version.clone());
            update.distribution_config(config).send().await?;
        }
        Err(Error::not_yet("cloudfront.DeleteDistribution", format!("{} is being disabled first", live.id)))
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        let Retag { set, remove } = tags;
        let arn = &live.status.arn;
        if !set.is_empty() {
            cloudfront(aws).tag_resource().resource(arn).tags(sdk_tags(set)?).send().await?;
        }
        if !remove.is_empty() {
            let keys = sdk::TagKeys::builder().set_items(Some(list(remove))).build();
            cloudfront(aws).untag_resource().resource(arn).tag_keys(keys).send().await?;
        }
        Ok(())
    }
}

/// A distribution as it is; none when it is gone.
async fn one(aws: &Aws, id: &str, tags: Tags) -> Result<Option<Live<Distribution>>> {
    let Some(answer) = cloudfront(aws).get_distribution().id(id).send().await.or_absent()? else { return Ok(None) };
    let told = answer.distribution.ok_or_else(|| Error::incomplete("cloudfront.GetDistribution", "distribution"))?;
    live(told, answer.e_tag, tags).map(Some)
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let answer = cloudfront(aws).list_tags_for_resource().resource(arn).send().await.or_absent()?;
    let tags = answer.map(|answer| answer.tags.and_then(|tags| tags.items).unwrap_or_default());
    Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect()))
}

fn sdk_tags(tags: &Tags) -> Result<sdk::Tags> {
    let tag = |(key, value): (&String, &String)| sdk::Tag::builder().key(key).value(value).build();
    let tags = tags.iter().map(tag).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(sdk::Tags::builder().set_items(Some(tags)).build())
}

fn live(told: sdk::Distribution, version: Option<String>, tags: Tags) -> Result<Live<Distribution>> {
    let missing = || Error::incomplete("cloudfront.GetDistribution", "distributionConfig");
    let config = told.distribution_config.ok_or_else(missing)?;
    let phase = match told.status.as_str() {
        "InProgress" if tags.contains_key(DELETING) && !config.enabled => Phase::Deleting,
        "InProgress" if !tags.contains_key("Name") => Phase::Pending,
        "InProgress" => Phase::Updating,
        _ => Phase::Ready,
    };
    let status =
        DistributionStatus { arn: told.arn, domain_name: told.domain_name, hosted_zone_id: HOSTED_ZONE.into() };
    let name = tags.get("Name").cloned().unwrap_or_default();
    let live = Live::new(told.id, name, distribution_wire::live(&config)?, status);
    Ok(live.phase(phase).tags(tags).keep(Raw(config, version)))
}
