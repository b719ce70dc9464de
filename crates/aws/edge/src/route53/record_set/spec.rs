//! The spec of a record set.

use std::collections::BTreeSet;

use aws_sdk_route53::types as sdk;
use holdfast_base::names::{HealthCheck, HostedZone};
use holdfast_core::Spec;
use holdfast_core::types::Ref;
use serde::{Deserialize, Serialize};

use crate::route53::name::{DnsName, RecordValue};

/// A Route 53 record set: the records of one domain name and type in a hosted zone.
///
/// A record set has no tags, and its zone accepts only ten tags
/// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html>), too few to record the
/// owners of its record sets. Holdfast therefore stores the owner in a TXT record below the record set:
/// `_holdfast-a.www.example.com` for the A record of `www.example.com`. One change writes or deletes both records.
///
/// Several owners can share a zone safely. A live record set without such a TXT record belongs to another owner: the
/// plan holds it, and Holdfast never overwrites it. Adopt it with `lifecycle: { adopt: <zone id>_www.example.com_A }`.
///
/// Refer to a zone outside the document by its id, `zone: { id: Z0123456789ABCDEFGHIJ }`, or look it up as a
/// `HostedZone` with `lifecycle: { manage: observe }`.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordSet {
    /// The hosted zone.
    #[spec(immutable)]
    pub(super) zone: Ref<HostedZone>,
    /// The full domain name, as in `www.example.com`, or `*.example.com` for all names that have no records of their
    /// own. AWS calls this field `Name`; in a document, `name` beside the spec is the physical name, which a record set
    /// does not use. A change of `recordName`, `type` or `setIdentifier` replaces the record set in one atomic change.
    pub(super) record_name: DnsName,
    /// The record type.
    #[spec(one_of = sdk::RrType)]
    pub(super) r#type: String,
    /// The TTL in seconds: how long resolvers may cache the record. Holdfast's default is 300. An alias record has the
    /// TTL of its target.
    #[spec(range = 0..=2147483647, never_null)]
    pub(super) ttl: Option<i64>,
    /// The values. The text of a TXT record may be written without quotation marks.
    #[spec(items = 1..)]
    pub(super) records: Option<BTreeSet<RecordValue>>,
    /// The AWS resource that an alias record refers to, instead of `ttl` and `records`.
    pub(super) alias_target: Option<AliasTarget>,
    /// The set identifier, which distinguishes record sets of the same name and type under a routing policy.
    #[spec(length = 1..=128)]
    pub(super) set_identifier: Option<String>,
    /// For weighted routing: the weight relative to the other record sets, 0 to 255.
    #[spec(range = 0..=255)]
    pub(super) weight: Option<i64>,
    /// For latency-based routing: the region from which latency is measured, as in `us-east-1`. AWS calls this field
    /// `Region`; in a document, `region` beside the spec is the region of a resource.
    #[spec(one_of = sdk::ResourceRecordSetRegion)]
    pub(super) latency_region: Option<String>,
    /// For failover routing: `PRIMARY` or `SECONDARY`.
    #[spec(one_of = sdk::ResourceRecordSetFailover)]
    pub(super) failover: Option<String>,
    /// For geolocation routing: the location of the clients that receive this record set.
    pub(super) geo_location: Option<GeoLocation>,
    /// For IP-based routing: the addresses of the clients that receive this record set.
    pub(super) cidr_routing_config: Option<CidrRoutingConfig>,
    /// For multivalue answer routing: whether the record set is one of up to eight that Route 53 returns together.
    pub(super) multi_value_answer: Option<bool>,
    /// The health check. Route 53 returns the record set only while the health check is healthy.
    pub(super) health_check: Option<Ref<HealthCheck>>,
}

/// The AWS resource that an alias record refers to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AliasTarget {
    /// The resource's own DNS name, as in `${LoadBalancer.web.dnsName}`.
    pub(super) dns_name: DnsName,
    /// The id of the hosted zone of the resource's DNS name, as in `${LoadBalancer.web.canonicalHostedZoneId}`;
    /// `Z2FDTNDATAQYW2` for every CloudFront distribution
    /// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html>).
    #[spec(length = ..=32)]
    pub(super) hosted_zone: String,
    /// Whether Route 53 returns the record only while the target is healthy. Must be false for CloudFront.
    #[serde(default)]
    pub(super) evaluate_target_health: bool,
}

/// The location of clients: a continent, or a country and optionally a subdivision of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GeoLocation {
    /// The code of the continent (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_GeoLocation.html>).
    #[spec(one_of = ["AF", "AN", "AS", "EU", "OC", "NA", "SA"])]
    pub(super) continent_code: Option<String>,
    /// The two-letter country code, as in `DE`; `*` for all clients that no other record set matches.
    #[spec(length = 1..=2)]
    pub(super) country_code: Option<String>,
    /// A state of the United States, as in `CA`, or a region of Ukraine.
    #[spec(length = 1..=3)]
    pub(super) subdivision_code: Option<String>,
}

/// The addresses of clients, as a location in a CIDR collection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CidrRoutingConfig {
    /// The id of the CIDR collection.
    #[spec(pattern = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")]
    pub(super) collection_id: String,
    /// The location in the collection; `*` for all other clients.
    #[spec(length = 1..=16, pattern = r"[0-9A-Za-z_\-\*]+")]
    pub(super) location_name: String,
}

/// The read-only attributes of a RecordSet.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecordSetStatus {
    /// The canonical domain name: in lower case, without a trailing dot.
    pub(super) fqdn: String,
}
