//! The spec of a distribution.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types as sdk;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use super::behavior::{CacheBehavior, DefaultCacheBehavior};
use super::origin::{Origin, OriginGroup};
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
    #[spec(length = ..=128, default = "")]
    pub(super) comment: Option<ServerDefault<String>>,
    /// Whether the distribution serves requests. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    /// The alternate domain names (CNAMEs), as in `www.example.com`. The certificate must cover them.
    pub(super) aliases: Option<BTreeSet<String>>,
    /// The default root object: what a request for `/` gets, as in `index.html`, without a leading slash.
    pub(super) default_root_object: Option<String>,
    /// The HTTP versions that viewers can use. AWS's default is `http2`.
    #[spec(one_of = sdk::HttpVersion, default = "http2")]
    pub(super) http_version: Option<ServerDefault<String>>,
    /// Whether the distribution serves requests over IPv6. AWS's default in the API is false.
    #[serde(rename = "isIPV6Enabled")]
    #[spec(default = false)]
    pub(super) is_ipv6_enabled: Option<ServerDefault<bool>>,
    /// The price class. AWS's default is `PriceClass_All`; with `PriceClass_200` and `PriceClass_100`, fewer edge
    /// locations cost less.
    #[spec(one_of = sdk::PriceClass, default = "PriceClass_All")]
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
    #[spec(one_of = sdk::MinimumProtocolVersion, when = "certificate")]
    pub(super) minimum_protocol_version: Option<ServerDefault<String>>,
    /// How CloudFront serves HTTPS: `sni-only`, which is Holdfast's default beside a certificate, or `vip`, which costs
    /// 600 US dollars a month.
    #[spec(one_of = sdk::SslSupportMethod, when = "certificate")]
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
    #[spec(one_of = sdk::GeoRestrictionType)]
    pub(super) restriction_type: String,
    /// The two-letter country codes, as in `DE`.
    #[serde(default)]
    #[spec(length = 2..=2)]
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
    #[spec(range = 0.., default = 10)]
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
    pub(super) arn: String,
    /// The domain name that clients resolve, as in `d111111abcdef8.cloudfront.net`.
    pub(super) domain_name: String,
    /// The id of the hosted zone of that domain name, for alias records. It is the same for all distributions.
    pub(super) hosted_zone_id: String,
}
