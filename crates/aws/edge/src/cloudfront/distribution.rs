//! Distribution: a CloudFront distribution, which serves requests at the edge.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, each, is_requested};
use holdfast_base::owner_marker;
use holdfast_base::sdk::all;
use holdfast_base::tagging::{self, Tags};
use holdfast_core::Spec;
use holdfast_core::observed::Phase;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::behavior::{CacheBehavior, DefaultCacheBehavior};
use super::origin::{Origin, OriginGroup};
use super::{cloudfront, distribution_wire, list};
use crate::acm::certificate::Certificate;
use crate::wafv2::web_acl::WebAcl;

/// A CloudFront distribution: servers at the edge in front of buckets, load balancers and other web servers.
///
/// CloudFront takes some minutes to create or change a distribution. The physical name is the tag `Name`, which
/// Holdfast sets after the first deployment. Until then the distribution is not ready. Later changes leave it usable
/// while they propagate.
///
/// Fields that the document does not state, and settings that this kind does not know, keep their live values: Holdfast
/// edits AWS's own configuration and writes it back. A cache behaviour is identified by its path pattern, an origin by
/// its key.
///
/// Holdfast deletes a distribution in two steps. It disables the distribution, and deletes it when that change has
/// propagated.
///
/// An observation costs one list call, one call of the Tagging API in us-east-1, and one call for the configuration of
/// each owned distribution. Other distributions cost no calls, with one exception: while a distribution of the document
/// has no `Name` tag yet, or the Tagging API does not know it, Holdfast reads the tags of each other distribution.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Distribution {
    /// The comment for people, at most 128 characters. AWS's default is `""`.
    pub(super) comment: Option<ServerDefault<String>>,
    /// Whether the distribution serves requests. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    /// The alternate domain names (CNAMEs), as in `www.example.com`. The certificate must cover them.
    pub(super) aliases: Option<BTreeSet<String>>,
    /// The default root object: what a request for `/` gets, as in `index.html`, without a leading slash.
    pub(super) default_root_object: Option<String>,
    /// The HTTP versions that viewers can use: `http1.1`, `http2` (AWS's default), `http3` or `http2and3`.
    pub(super) http_version: Option<ServerDefault<String>>,
    /// Whether the distribution serves requests over IPv6. AWS's default in the API is false.
    #[serde(rename = "isIPV6Enabled")]
    pub(super) is_ipv6_enabled: Option<ServerDefault<bool>>,
    /// The price class: `PriceClass_All` (AWS's default), `PriceClass_200` or `PriceClass_100`. Fewer edge locations
    /// cost less.
    pub(super) price_class: Option<ServerDefault<String>>,
    /// The origins, by keys of the document's choice.
    pub(super) origins: BTreeMap<String, Origin>,
    /// The origin groups: pairs of origins for failover. Cache behaviours can target their keys too.
    pub(super) origin_groups: Option<BTreeMap<String, OriginGroup>>,
    /// The behaviour for requests that no other cache behaviour matches.
    pub(super) default_cache_behavior: DefaultCacheBehavior,
    /// The behaviours for requests that match a path pattern. The first match applies.
    pub(super) cache_behaviors: Option<Vec<CacheBehavior>>,
    /// The certificate and the TLS versions for viewers.
    pub(super) viewer_certificate: Option<ServerDefault<ViewerCertificate>>,
    /// The restrictions by country.
    pub(super) restrictions: Option<ServerDefault<Restrictions>>,
    /// The access logs; `null` for none. The bucket must allow ACLs
    /// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html>).
    pub(super) logging: Option<LoggingConfig>,
    /// The custom error responses, by the origin's status code as a string.
    pub(super) custom_error_responses: Option<BTreeMap<String, CustomErrorResponse>>,
    /// The web ACL that protects the distribution, with the scope `CLOUDFRONT`; `null` for none.
    pub(super) web_acl: Option<Ref<WebAcl, Arn>>,
}

/// The certificate and the TLS versions for viewers
/// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ViewerCertificate.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ViewerCertificate {
    /// True for CloudFront's default certificate, which covers `*.cloudfront.net`. The other fields then have no
    /// effect.
    pub(super) cloud_front_default_certificate: Option<ServerDefault<bool>>,
    /// The certificate of ACM in us-east-1, which must be issued.
    pub(super) certificate: Option<Ref<Certificate, Arn>>,
    /// The minimum TLS version with its ciphers, as in `TLSv1.2_2021`.
    pub(super) minimum_protocol_version: Option<ServerDefault<String>>,
    /// How CloudFront serves HTTPS: `sni-only`, which is Holdfast's default beside a certificate, or `vip`, which costs
    /// 600 US dollars a month.
    pub(super) ssl_support_method: Option<ServerDefault<String>>,
}

/// The restrictions on the requests that a distribution serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Restrictions {
    /// The restriction by the country of the viewer.
    pub(super) geo_restriction: GeoRestriction,
}

/// The restriction by the country of the viewer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GeoRestriction {
    /// The type of the restriction: `none`, `whitelist` to serve only these countries, or `blacklist` to serve all but
    /// these.
    pub(super) restriction_type: String,
    /// The two-letter country codes, as in `DE`.
    #[serde(default)]
    pub(super) items: BTreeSet<String>,
}

/// The access logs of a distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoggingConfig {
    /// The bucket for the logs, as a host name: `logs.s3.amazonaws.com`.
    pub(super) bucket: String,
    /// The prefix of the log files' names.
    #[serde(default)]
    pub(super) prefix: String,
    /// Whether the logs include cookies.
    #[serde(default)]
    pub(super) include_cookies: bool,
}

/// The response to an error of the origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomErrorResponse {
    /// The path of the page that CloudFront sends instead.
    pub(super) response_page_path: Option<String>,
    /// The status code that CloudFront sends with that page, as a string.
    pub(super) response_code: Option<String>,
    /// How long CloudFront caches the error, in seconds. AWS's default is 10.
    #[serde(rename = "errorCachingMinTTL")]
    pub(super) error_caching_min_ttl: Option<ServerDefault<i64>>,
}

fn yes() -> bool {
    true
}

/// The read-only attributes of a Distribution.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DistributionStatus {
    /// The ARN of the distribution.
    arn: String,
    /// The domain name that clients resolve, as in `d111111abcdef8.cloudfront.net`.
    domain_name: String,
    /// The id of the hosted zone of that domain name, for alias records. It is the same for all distributions.
    hosted_zone_id: String,
}

/// The id of the hosted zone of all distributions' domain names
/// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html>).
const HOSTED_ZONE: &str = "Z2FDTNDATAQYW2";

/// The tag on a distribution that Holdfast disabled in order to delete it.
const DELETING: &str = "holdfast:deleting";

/// The configuration as CloudFront returned it, with its ETag.
struct VersionedConfig {
    config: sdk::DistributionConfig,
    e_tag: Option<String>,
}

impl Kind for Distribution {
    type Status = DistributionStatus;
    const TIER: Tier = Tier::Edge;
    /// A distribution has its ARN and its domain name from the start, so bucket policies and records can refer to it.
    const REFERENCEABLE_ON_CREATE: bool = true;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    const GLOBAL: bool = true;

    /// Finds the owned and requested distributions.
    ///
    /// CloudFront's list returns no tags, so the tag index determines which distributions are owned. The index can lack
    /// a distribution of the document, because it lags behind or because the distribution does not exist yet. Only then
    /// all distributions are listed, and the tags of those that the index lacks are read with one call each.
    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let tagging_client = tagging::of_no_region(aws)?;
        let is_distribution =
            |service: &str, resource: &str| service == "cloudfront" && resource.starts_with("distribution/");
        let observe =
            |arn: String, tags| async move { observe_one(aws, arn.rsplit('/').next().unwrap_or_default(), tags).await };
        if let Some(found) = tagging::known(&tagging_client, scope, is_distribution, observe).await? {
            return Ok(found);
        }
        let list = cloudfront(aws).list_distributions().into_paginator().items().send();
        let list = all(list).await?;
        if list.is_empty() {
            return Ok(vec![]);
        }
        let index = tagging::index(&tagging_client, scope).await?;
        let indexed: BTreeMap<&str, &Tags> =
            list.iter().filter_map(|of| Some((of.arn.as_str(), index.get(&of.arn)?))).collect();
        let names: Vec<&str> = indexed.values().filter_map(|tags| tags.get("Name")).map(String::as_str).collect();
        let (indexed, index_is_incomplete) = (&indexed, tagging::lacks(scope, &names));
        each(&list, |summary| async move {
            let requested = is_requested(scope, &summary.id, &summary.arn, &distribution_wire::from_summary(summary)?);
            let tags = match indexed.get(summary.arn.as_str()) {
                Some(tags) if scope.from_index => (*tags).clone(),
                None if !index_is_incomplete && !requested => return Ok(None),
                _ => match tags_of(aws, &summary.arn).await? {
                    Some(tags) => tags,
                    None => return Ok(None),
                },
            };
            if requested || scope.is_owned(&tags) { observe_one(aws, &summary.id, tags).await } else { Ok(None) }
        })
        .await
    }

    /// Creates the distribution with an idempotency token.
    ///
    /// **Expected flow**
    /// 1. The caller reference contains the owner and the token.
    /// 2. The create sets all owner tags except `Name`. A later pass sets `Name` when the first deployment has
    ///    finished.
    ///
    /// **Guarantees** CloudFront refuses a second distribution with the same caller reference, so a retry creates no
    /// duplicate.
    ///
    /// **Caveats** A missing `Name` tag distinguishes the first deployment from later ones.
    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let mut tags = desired.tags.clone();
        tags.remove("Name");
        let reference = owner_marker::reference::<Self>(&desired.tags, &desired.token, 128)?;
        let config = sdk::DistributionConfig::builder().caller_reference(reference).comment("").enabled(true);
        let mut config = config.build()?;
        distribution_wire::put(&mut config, &desired.spec, true)?;
        let config = sdk::DistributionConfigWithTags::builder().distribution_config(config).tags(sdk_tags(&tags)?);
        let request = cloudfront(aws).create_distribution_with_tags().distribution_config_with_tags(config.build());
        let output = request.send().await?;
        let missing = || Error::incomplete("cloudfront.CreateDistributionWithTags", "distribution");
        live(output.distribution.ok_or_else(missing)?, output.e_tag, tags).map(Created::from)
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let VersionedConfig { config, e_tag } = live.raw::<VersionedConfig>()?;
        let mut config = config.clone();
        let count = |spec: &Self| spec.cache_behaviors.as_ref().map(Vec::len);
        distribution_wire::put(&mut config, &desired.spec, count(&desired.spec) == count(&live.spec))?;
        let update = cloudfront(aws).update_distribution().id(&live.id).set_if_match(e_tag.clone());
        update.distribution_config(config).send().await?;
        if live.tags.contains_key(DELETING) {
            let remove = BTreeSet::from([DELETING.to_owned()]);
            Self::tag(aws, live, &TagChanges { remove, ..TagChanges::default() }).await?;
        }
        Ok(Updated::ObserveAgain)
    }

    /// Deletes the distribution in two steps, because CloudFront deletes only a disabled and deployed distribution
    /// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DeleteDistribution.html>).
    ///
    /// **Expected flow**
    /// 1. The first call sets the tag `holdfast:deleting` and disables the distribution.
    /// 2. The phase is `Deleting` while CloudFront propagates the change.
    /// 3. A later call finds the distribution disabled and deployed, and deletes it.
    ///
    /// **Guarantees** Writes of the configuration and the deletion carry the observed ETag, so CloudFront refuses them
    /// after a concurrent change.
    ///
    /// **Caveats** An update removes the tag `holdfast:deleting` again.
    ///
    /// **Errors** NotYet until the distribution is disabled and deployed.
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        let VersionedConfig { config, e_tag } = live.raw::<VersionedConfig>()?;
        if !config.enabled && live.phase == Phase::Ready {
            cloudfront(aws).delete_distribution().id(&live.id).set_if_match(e_tag.clone()).send().await?;
            return Ok(());
        }
        let set = BTreeMap::from([(DELETING.to_owned(), "true".to_owned())]);
        Self::tag(aws, live, &TagChanges { set, ..TagChanges::default() }).await?;
        if config.enabled {
            let mut config = config.clone();
            config.enabled = false;
            let update = cloudfront(aws).update_distribution().id(&live.id).set_if_match(e_tag.clone());
            update.distribution_config(config).send().await?;
        }
        Err(Error::not_yet(
            "cloudfront.DeleteDistribution",
            format!("{} is disabled first; the deletion follows when that change has propagated", live.id),
        ))
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        let TagChanges { set, remove } = tags;
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

/// Observes one distribution; none when it does not exist.
async fn observe_one(aws: &Aws, id: &str, tags: Tags) -> Result<Option<Live<Distribution>>> {
    let Some(output) = cloudfront(aws).get_distribution().id(id).send().await.or_absent()? else { return Ok(None) };
    let distribution =
        output.distribution.ok_or_else(|| Error::incomplete("cloudfront.GetDistribution", "distribution"))?;
    live(distribution, output.e_tag, tags).map(Some)
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = cloudfront(aws).list_tags_for_resource().resource(arn).send().await.or_absent()?;
    let tags = output.map(|output| output.tags.and_then(|tags| tags.items).unwrap_or_default());
    Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value.unwrap_or_default())).collect()))
}

fn sdk_tags(tags: &Tags) -> Result<sdk::Tags> {
    let tag = |(key, value): (&String, &String)| sdk::Tag::builder().key(key).value(value).build();
    let tags = tags.iter().map(tag).collect::<std::result::Result<Vec<_>, _>>()?;
    Ok(sdk::Tags::builder().set_items(Some(tags)).build())
}

fn live(distribution: sdk::Distribution, e_tag: Option<String>, tags: Tags) -> Result<Live<Distribution>> {
    let missing = || Error::incomplete("cloudfront.GetDistribution", "distributionConfig");
    let config = distribution.distribution_config.ok_or_else(missing)?;
    let phase = match distribution.status.as_str() {
        "InProgress" if tags.contains_key(DELETING) && !config.enabled => Phase::Deleting,
        "InProgress" if !tags.contains_key("Name") => Phase::Pending,
        "InProgress" => Phase::Updating,
        _ => Phase::Ready,
    };
    let status = DistributionStatus {
        arn: distribution.arn,
        domain_name: distribution.domain_name,
        hosted_zone_id: HOSTED_ZONE.into(),
    };
    let name = tags.get("Name").cloned().unwrap_or_default();
    let live = Live::new(distribution.id, name, distribution_wire::from_response(&config)?, status);
    Ok(live.phase(phase).tags(tags).keep(VersionedConfig { config, e_tag }))
}
