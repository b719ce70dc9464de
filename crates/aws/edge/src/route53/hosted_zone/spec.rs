//! The spec of a hosted zone.

use std::collections::BTreeSet;

use aws_sdk_route53::types as sdk;
use holdfast_base::names::Vpc;
use holdfast_core::Spec;
use holdfast_core::types::Ref;
use serde::{Deserialize, Serialize};

/// A Route 53 hosted zone: the DNS records of a domain, public or private to VPCs.
///
/// State `name`, as in `name: example.com`: it is the domain in lower case without a trailing dot. The deletion of a
/// public zone loses the delegation, because a new zone of the same name gets other name servers. Route 53 deletes a
/// zone only when it contains nothing but its own NS and SOA records. Holdfast first deletes the records that it writes
/// for itself and the validation records of certificates.
///
/// A zone accepts ten tags. Holdfast uses seven of them, so three are left for the tags of the document and the stack
/// (<https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeTagsForResource.html>).
///
/// Look up a zone that Holdfast does not manage by its name: `name: example.com, lifecycle: { manage: observe }`.
/// `privateZone` distinguishes two zones of one name.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostedZone {
    /// The comment for people: at most 256 characters; `null` for none.
    #[spec(length = ..=256)]
    pub(super) comment: Option<String>,
    /// The VPCs that can resolve the names of a private zone; at least one. Without this field the zone is public.
    #[spec(items = 1..)]
    pub(super) vpcs: Option<BTreeSet<ZoneVpc>>,
    /// Whether the zone is private. It follows from `vpcs`; state it in a lookup.
    #[spec(immutable)]
    pub(super) private_zone: Option<bool>,
    /// The id (`N…`) of a reusable delegation set, which gives several zones the same name servers; public zones only.
    #[spec(immutable, length = ..=32, default = null)]
    pub(super) delegation_set: Option<String>,
}

/// A VPC that can resolve the names of a private zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = ["vpc", "vpcRegion"])]
pub(crate) struct ZoneVpc {
    /// The VPC.
    pub(super) vpc: Ref<Vpc>,
    /// The region of the VPC, as in `us-east-1`. AWS requires it, because hosted zones are global.
    #[spec(one_of = sdk::VpcRegion)]
    pub(super) vpc_region: String,
}

/// The read-only attributes of a HostedZone.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostedZoneStatus {
    /// The ARN of the zone.
    pub(super) arn: String,
    /// The name servers of the zone, for the delegation at the registrar or in the parent zone. A private zone has
    /// none.
    pub(super) name_servers: Vec<String>,
}
