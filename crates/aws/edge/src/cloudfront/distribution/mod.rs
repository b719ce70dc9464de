//! Distribution: a CloudFront distribution, which serves requests at the edge.

mod behavior;
mod check;
mod origin;
mod origin_wire;
mod spec;
mod wire;

use std::collections::BTreeMap;

use aws_sdk_cloudfront::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::{ByArn, TagCalls, TagOnCreate};
use holdfast_base::owner_marker;
use holdfast_base::sdk::all;
use holdfast_base::sdk_tags;
use holdfast_base::tagging::{self, Tags};
use holdfast_base::wanted::{Listed, Wants as _, each};
use holdfast_core::observed::Phase;
use holdfast_core::schema::relation::{
    Condition::{Is, Stated},
    Demand::{AtMostOne, Excludes, Needs, Unique},
    Relation, demand,
};
use holdfast_core::schema::{DocumentRelation, Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;

pub(crate) use self::spec::Distribution;
use self::spec::DistributionStatus;
use super::cloudfront;

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
    type Owner = TagOnCreate<CloudFrontTags, ByArn>;
    const TIER: Tier = Tier::Edge;
    /// A distribution has its ARN and its domain name from the start, so bucket policies and records can refer to it.
    const REFERENCEABLE_ON_CREATE: bool = true;
    /// An alias belongs to one distribution at a time (`CNAMEAlreadyExists`,
    /// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html>).
    const UNIQUE: &'static [&'static [&'static str]] = &[&[Distribution::ALIASES.name()]];
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    /// A name belongs to one distribution (`CNAMEAlreadyExists`), and certificates and web ACLs must be in us-east-1
    /// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_ViewerCertificate.html>,
    /// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html>).
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[
        DocumentRelation::Exclusive(Self::ALIASES.name()),
        DocumentRelation::ReferenceInRegion { field: "viewerCertificate.certificate", region: "us-east-1" },
        DocumentRelation::ReferenceInRegion { field: Self::WEB_ACL.name(), region: "us-east-1" },
    ];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_Origin.html
        demand(AtMostOne(&["s3OriginConfig", "customOriginConfig"])).at("origins.*"),
        demand(Needs("originShieldRegion")).when(&[Is("enabled", &["true"])]).at("origins.*.originShield"),
        // https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
        demand(Needs("viewerCertificate.certificate")).when(&[Stated("aliases")]),
        demand(Excludes("certificate")).when(&[Is("cloudFrontDefaultCertificate", &["true"])]).at("viewerCertificate"),
        // https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_GeoRestriction.html
        demand(Needs("items"))
            .when(&[Is("restrictionType", &["blacklist", "whitelist"])])
            .at("restrictions.geoRestriction"),
        demand(Excludes("items")).when(&[Is("restrictionType", &["none"])]).at("restrictions.geoRestriction"),
        demand(Unique("cacheBehaviors", &["pathPattern"])),
        // https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CustomErrorResponse.html
        demand(Needs("responseCode")).when(&[Stated("responsePagePath")]).at("customErrorResponses.*"),
        demand(Needs("responsePagePath")).when(&[Stated("responseCode")]).at("customErrorResponses.*"),
    ];
    const GLOBAL: bool = true;

    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        check::check(spec)
    }

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
        let list = all(cloudfront(aws).list_distributions().into_paginator().items().send()).await?;
        if list.is_empty() {
            return Ok(vec![]);
        }
        let index = tagging::index(&tagging_client, scope).await?;
        let indexed: BTreeMap<&str, &Tags> =
            list.iter().filter_map(|of| Some((of.arn.as_str(), index.get(&of.arn)?))).collect();
        let names: Vec<&str> = indexed.values().filter_map(|tags| tags.get("Name")).map(String::as_str).collect();
        let (indexed, index_is_incomplete) = (&indexed, tagging::lacks(scope, &names));
        each(&list, |summary| async move {
            let spec = wire::from_summary(summary)?;
            let listed = || Listed::id(&summary.id).or_id(&summary.arn).spec(&spec);
            let tags = match indexed.get(summary.arn.as_str()) {
                Some(tags) if scope.from_index => (*tags).clone(),
                None if !index_is_incomplete && !scope.wants(&listed()).any() => return Ok(None),
                _ => match tags_of(aws, &summary.arn).await? {
                    Some(tags) => tags,
                    None => return Ok(None),
                },
            };
            match scope.wants(&listed().tags(&tags)).any() {
                true => observe_one(aws, &summary.id, tags).await,
                false => Ok(None),
            }
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
        wire::put(&mut config, &desired.spec, true)?;
        let config = sdk::DistributionConfigWithTags::builder().distribution_config(config).tags(tag_set(&tags)?);
        let request = cloudfront(aws).create_distribution_with_tags().distribution_config_with_tags(config.build());
        let output = request.send().await?;
        let missing = || Error::incomplete("cloudfront.CreateDistributionWithTags", "distribution");
        live(output.distribution.ok_or_else(missing)?, output.e_tag, tags).map(Created::from)
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let VersionedConfig { config, e_tag } = live.raw::<VersionedConfig>()?;
        let mut config = config.clone();
        let count = |spec: &Self| spec.cache_behaviors.as_ref().map(Vec::len);
        wire::put(&mut config, &desired.spec, count(&desired.spec) == count(&live.spec))?;
        let update = cloudfront(aws).update_distribution().id(&live.id).set_if_match(e_tag.clone());
        update.distribution_config(config).send().await?;
        if live.tags.contains_key(DELETING) {
            CloudFrontTags::remove(aws, &live.status.arn, vec![DELETING.to_owned()]).await?;
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
        let tag = Tags::from([(DELETING.to_owned(), "true".to_owned())]);
        CloudFrontTags::set(aws, &live.status.arn, &tag).await?;
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
}

sdk_tags!(key sdk::Tag);

/// The calls that set and remove tags of a distribution.
pub(crate) struct CloudFrontTags;

impl TagCalls for CloudFrontTags {
    async fn set(aws: &Aws, arn: &str, tags: &Tags) -> Result<()> {
        cloudfront(aws).tag_resource().resource(arn).tags(tag_set(tags)?).send().await?;
        Ok(())
    }

    async fn remove(aws: &Aws, arn: &str, keys: Vec<String>) -> Result<()> {
        let keys = sdk::TagKeys::builder().set_items(Some(keys)).build();
        cloudfront(aws).untag_resource().resource(arn).tag_keys(keys).send().await?;
        Ok(())
    }
}

fn tag_set(tags: &Tags) -> Result<sdk::Tags> {
    Ok(sdk::Tags::builder().set_items(Some(sdk_tags(tags)?)).build())
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
    Ok(output.map(|output| output.tags.map(|tags| from_sdk_tags(tags.items())).unwrap_or_default()))
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
    let live = Live::new(distribution.id, name, wire::from_response(&config)?, status);
    Ok(live.phase(phase).tags(tags).keep(VersionedConfig { config, e_tag }))
}
