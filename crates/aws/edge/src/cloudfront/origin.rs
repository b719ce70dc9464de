//! The origins of a distribution: where answers come from.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::Spec;
use holdfast_core::types::{Always, Ref};
use serde::{Deserialize, Serialize};

use super::origin_access_control::OriginAccessControl;

/// Where answers come from: a bucket, unless `customOriginConfig` says that it is a web server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Origin {
    /// The bucket's regional name, as in `assets.s3.eu-west-1.amazonaws.com`, or the host of a web server or load
    /// balancer. A bucket's name is known before the bucket is there: written as text it makes no circle with a
    /// bucket policy that names the distribution.
    pub(super) domain_name: String,
    /// What goes before the path of each request, as in `/production`. `""` for nothing, AWS's default.
    pub(super) origin_path: Option<Always<String>>,
    /// Headers that are added to each request, by name. They are no place for secrets: everybody who may read the
    /// distribution reads them.
    pub(super) custom_headers: Option<Always<BTreeMap<String, String>>>,
    /// How requests to a private bucket are signed. `null` for not at all.
    pub(super) origin_access_control: Option<Ref<OriginAccessControl>>,
    /// That it is a bucket. It need not be said where there is no `customOriginConfig`.
    pub(super) s3_origin_config: Option<S3OriginConfig>,
    /// That it is a web server, and how it is spoken to.
    pub(super) custom_origin_config: Option<CustomOriginConfig>,
    /// How often a connection is tried, 1 to 3. AWS's default is 3.
    pub(super) connection_attempts: Option<Always<i32>>,
    /// How many seconds a connection may take, 1 to 10. AWS's default is 10.
    pub(super) connection_timeout: Option<Always<i32>>,
    /// One more cache before the origin.
    pub(super) origin_shield: Option<Always<OriginShield>>,
}

/// That an origin is a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct S3OriginConfig {
    /// The older way of signing, `origin-access-identity/cloudfront/<id>`. `""` for none, AWS's default.
    pub(super) origin_access_identity: Option<Always<String>>,
}

/// How a web server is spoken to
/// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CustomOriginConfig.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomOriginConfig {
    /// `http-only`, `https-only` or `match-viewer`.
    pub(super) origin_protocol_policy: String,
    /// The port for HTTP. Our default is 80.
    #[serde(rename = "HTTPPort", default = "http")]
    pub(super) http_port: i32,
    /// The port for HTTPS. Our default is 443.
    #[serde(rename = "HTTPSPort", default = "https")]
    pub(super) https_port: i32,
    /// With HTTPS: `SSLv3`, `TLSv1`, `TLSv1.1`, `TLSv1.2`. Our default is the last alone.
    #[serde(default = "tls")]
    pub(super) origin_ssl_protocols: BTreeSet<String>,
    /// How many seconds an answer may take, 1 to 120. AWS's default is 30.
    pub(super) origin_read_timeout: Option<Always<i32>>,
    /// How many seconds a connection stays open after an answer, 1 to 120. AWS's default is 5.
    pub(super) origin_keepalive_timeout: Option<Always<i32>>,
}

/// One more cache before the origin
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/origin-shield.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginShield {
    /// Whether it is there.
    pub(super) enabled: bool,
    /// In which region: the one that is nearest to the origin.
    pub(super) origin_shield_region: Option<String>,
}

/// Two origins of which the second answers when the first cannot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginGroup {
    /// Their keys in `origins`, the one to be asked first in front.
    pub(super) members: Vec<String>,
    /// The status codes of the first upon which the second is asked: of 400, 403, 404, 416, 429, 500, 502, 503, 504.
    pub(super) status_codes: BTreeSet<i32>,
}

fn http() -> i32 {
    80
}

fn https() -> i32 {
    443
}

fn tls() -> BTreeSet<String> {
    BTreeSet::from(["TLSv1.2".into()])
}
