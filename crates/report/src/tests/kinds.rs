//! Small kinds for tests, with a field of every type.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::Spec;
use holdfast_core::schema::{
    Comparison, Field, Idempotency, NamingRules, Ownership, Presence, Record, Registry, Replacement, Schema, Spec as _,
    Tier, Type, no_check,
};
use holdfast_core::types::{AfterCreate, Arn, Cidr, PolicyDocument, Ref};
use serde::{Deserialize, Serialize};

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vpc {
    /// The CIDR block of addresses.
    #[spec(immutable)]
    cidr_block: Cidr,
    /// Whether instances get DNS names.
    #[serde(default = "yes")]
    enable_dns_hostnames: bool,
    /// Whether instances run on shared or dedicated hardware.
    #[spec(immutable, default = "default")]
    instance_tenancy: Option<Tenancy>,
}

fn yes() -> bool {
    true
}

/// Whether instances run on shared or dedicated hardware.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
pub(crate) enum Tenancy {
    /// Shared hardware.
    #[serde(rename = "default")]
    Default,
    /// Dedicated hardware.
    #[serde(rename = "dedicated")]
    Dedicated,
}

/// A part of a network in one Availability Zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subnet {
    /// The network.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The CIDR block of addresses.
    #[spec(immutable)]
    cidr_block: Cidr,
    /// The Availability Zone.
    #[spec(immutable)]
    availability_zone: String,
}

/// A virtual firewall for resources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityGroup {
    /// The network.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The inbound rules.
    #[serde(default)]
    ingress: BTreeSet<Rule>,
}

/// A rule of a security group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rule {
    /// The protocol.
    ip_protocol: String,
    /// The first port.
    from_port: Option<i32>,
    /// The last port.
    to_port: Option<i32>,
    /// The security group that traffic is allowed from.
    security_group: Option<AfterCreate<Ref<SecurityGroup>>>,
}

/// The permissions of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    /// The principals that may assume the role.
    assume_role_policy_document: PolicyDocument,
    /// The inline policies, by name.
    #[serde(default)]
    policies: BTreeMap<String, PolicyDocument>,
}

/// A set of running tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Service {
    /// The subnets of the tasks.
    subnets: BTreeSet<Ref<Subnet>>,
    /// The role of the tasks.
    role: Option<Ref<Role, Arn>>,
    /// The service that the tasks call.
    upstream: Option<Ref<Service>>,
    /// The command of a task.
    command: Option<Vec<String>>,
    /// The environment variables of a task.
    environment: Option<BTreeMap<String, String>>,
    /// The number of tasks.
    desired_count: Option<i32>,
    /// The number of vCPUs of a task.
    cpu: Option<f64>,
}

/// An endpoint that receives notifications.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    /// The endpoint that notifications are sent to.
    #[spec(immutable)]
    endpoint: String,
    /// The protocol.
    #[spec(one_of = ["https", "sqs"], default = "https")]
    protocol: Option<String>,
    /// The number of retries.
    #[spec(range = 0..=100)]
    retries: Option<i64>,
    /// The topics by name.
    #[spec(items = 1..=2, length = 1..=8, pattern = "[a-z]+|[0-9]+")]
    topics: Option<Vec<String>>,
    /// The weights of the topics.
    #[spec(items = ..=3, range = 1..)]
    weights: Option<BTreeMap<String, f64>>,
}

const STATUS: Record = Record {
    name: "Status",
    doc: "",
    fields: &[Field {
        name: "arn",
        doc: "The ARN.",
        ty: Type::Text,
        presence: Presence::Optional,
        immutable: false,
        in_place: None,
        constraints: &[],
        server_default: None,
        comparison: Comparison::BY_TYPE,
        after_create: false,
        only_at_create: false,
    }],
    ..Record::EMPTY
};

const fn schema(kind: &'static str, record: &'static Record, tier: Tier) -> Schema {
    Schema {
        kind,
        record,
        tier,
        ownership: Ownership::TagOnCreate,
        replacement: Replacement::CreateBeforeDestroy,
        naming: NamingRules::TAG,
        idempotency: Idempotency::FindByTags,
        stateful: false,
        global: false,
        referenceable_on_create: false,
        unique: &[],
        releases: &[],
        deleted_with: None,
        deletion_protection: None,
        fits: &[],
        consistency_window: std::time::Duration::from_secs(300),
        write_only: &[],
        status: &STATUS,
        relations: &[],
        check: no_check,
        document_relations: &[],
    }
}

/// All kinds for tests.
pub(crate) const REGISTRY: Registry = Registry(&[
    &schema("Vpc", &Vpc::RECORD, Tier::Network),
    &schema("Subnet", &Subnet::RECORD, Tier::Network),
    &schema("SecurityGroup", &SecurityGroup::RECORD, Tier::Network),
    &Schema { global: true, naming: NamingRules::limit(64), ..schema("Role", &Role::RECORD, Tier::Operations) },
    &Schema {
        naming: NamingRules::limit(32),
        idempotency: Idempotency::UniqueName,
        write_only: &[("command", "AWS does not return it")],
        ..schema("Service", &Service::RECORD, Tier::Compute)
    },
    &Schema {
        ownership: Ownership::ViaParent { field: "endpoint", key: &[] },
        ..schema("Subscription", &Subscription::RECORD, Tier::Operations)
    },
]);
