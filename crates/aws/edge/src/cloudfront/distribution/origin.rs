//! The origins of a distribution: the servers that CloudFront gets responses from.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types as sdk;
use holdfast_core::Spec;
use holdfast_core::types::{Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::cloudfront::origin_access_control::OriginAccessControl;

/// An origin: a bucket, or a web server if `customOriginConfig` is stated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Origin {
    /// The bucket's regional domain name, as in `assets.s3.eu-west-1.amazonaws.com`, or the host name of a web server
    /// or load balancer. A bucket's domain name is known before the bucket exists. Write it as text: a text causes no
    /// dependency cycle with a bucket policy that names the distribution.
    pub(super) domain_name: String,
    /// The path that CloudFront puts before the path of each request, as in `/production`. AWS's default is `""`, no
    /// path.
    #[spec(default = "")]
    pub(super) origin_path: Option<ServerDefault<String>>,
    /// The headers that CloudFront adds to each request, by name. Do not put secrets here: every principal that may
    /// read the distribution can read them.
    pub(super) custom_headers: Option<ServerDefault<BTreeMap<String, String>>>,
    /// The origin access control that signs requests to a private bucket; `null` for unsigned requests.
    pub(super) origin_access_control: Option<Ref<OriginAccessControl>>,
    /// The settings of a bucket. An origin without `customOriginConfig` is a bucket even without this field.
    pub(super) s3_origin_config: Option<S3OriginConfig>,
    /// The connection settings of a web server. An origin with this field is a web server.
    pub(super) custom_origin_config: Option<CustomOriginConfig>,
    /// The number of connection attempts, 1 to 3. AWS's default is 3.
    #[spec(range = 1..=3, default = 3)]
    pub(super) connection_attempts: Option<ServerDefault<i32>>,
    /// The connection timeout in seconds, 1 to 10. AWS's default is 10.
    #[spec(range = 1..=10, default = 10)]
    pub(super) connection_timeout: Option<ServerDefault<i32>>,
    /// Origin Shield: an additional cache before the origin.
    pub(super) origin_shield: Option<ServerDefault<OriginShield>>,
}

/// The settings of an origin that is a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct S3OriginConfig {
    /// The origin access identity, the legacy way of signing: `origin-access-identity/cloudfront/<id>`. AWS's default
    /// is `""`, none.
    #[spec(default = "")]
    pub(super) origin_access_identity: Option<ServerDefault<String>>,
}

/// The connection settings of an origin that is a web server
/// (<https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CustomOriginConfig.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomOriginConfig {
    /// The origin protocol policy: `http-only`, `https-only`, or `match-viewer` for the protocol of the viewer.
    #[spec(one_of = sdk::OriginProtocolPolicy)]
    pub(super) origin_protocol_policy: String,
    /// The port for HTTP. Holdfast's default is 80.
    #[serde(rename = "HTTPPort", default = "http")]
    #[spec(range = 1..=65535)]
    pub(super) http_port: i32,
    /// The port for HTTPS. Holdfast's default is 443.
    #[serde(rename = "HTTPSPort", default = "https")]
    #[spec(range = 1..=65535)]
    pub(super) https_port: i32,
    /// The SSL and TLS protocols for HTTPS. Holdfast's default is `TLSv1.2` alone.
    #[serde(default = "tls")]
    #[spec(one_of = sdk::SslProtocol, items = 1..)]
    pub(super) origin_ssl_protocols: BTreeSet<String>,
    /// The response timeout in seconds: how long CloudFront waits for a response, 1 to 120, or 180 with a higher
    /// quota. AWS's default is 30.
    #[spec(range = 1..=180, default = 30)]
    pub(super) origin_read_timeout: Option<ServerDefault<i32>>,
    /// The keep-alive timeout in seconds: how long a connection stays open after a response, 1 to 120, or 180 with a
    /// higher quota. AWS's default is 5.
    #[spec(range = 1..=180, default = 5)]
    pub(super) origin_keepalive_timeout: Option<ServerDefault<i32>>,
}

/// Origin Shield: an additional cache before the origin
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/origin-shield.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginShield {
    /// Whether Origin Shield is enabled.
    pub(super) enabled: bool,
    /// The region of Origin Shield: the region that is nearest to the origin.
    #[spec(length = 1..=32, pattern = "[a-z]{2}-[a-z]+-[0-9]")]
    pub(super) origin_shield_region: Option<String>,
}

/// A pair of origins for failover: the secondary origin serves a request when the primary origin cannot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OriginGroup {
    /// The keys of the two origins in `origins`, the primary origin first.
    #[spec(items = 2..=2)]
    pub(super) members: Vec<String>,
    /// The status codes of the primary origin that cause a failover, from 400, 403, 404, 416, 429, 500, 502, 503 and
    /// 504.
    #[spec(range = 400..=504, items = 1..)]
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
