//! Distribution: the web servers at the edge.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::behavior::{CacheBehavior, DefaultCacheBehavior};
use super::origin::{Origin, OriginGroup};
use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};
use crate::kinds::acm::certificate::Certificate;
use crate::kinds::wafv2::web_acl::WebAcl;

/// A distribution: the web servers at the edge, in front of buckets and load balancers. Making and changing one
/// takes some minutes. It is named by its `Name` tag, which it gets once it is deployed for the first time: until
/// then it is not ready, and later changes leave it usable while they spread.
///
/// What the document does not say stays as it is, and so do settings that this kind does not know: AWS's own
/// configuration is changed and put back. A behaviour or an origin is known by its path or key.
///
/// Deleting takes two steps: it is disabled, and when that has spread it is deleted.
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

impl Kind for Distribution {
    type Status = DistributionStatus;
    const TIER: Tier = Tier::Edge;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("Distribution", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("Distribution", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("Distribution", "this kind is not there yet"))
    }
}
