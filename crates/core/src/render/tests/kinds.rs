//! Small kinds for tests, with a field of every type.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::schema::{
    DocumentRelation, Idempotency, NamingRules, Ownership, Record, Registry, Replacement, Schema, Spec as _, Tier,
    ValidationError, no_check,
};
use crate::types::{AfterCreate, Cidr, PolicyDocument, Ref};
use crate::value::Value;

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
pub(crate) enum Tenancy {
    /// Shared hardware.
    #[serde(rename = "default")]
    Default,
    /// Dedicated hardware.
    #[serde(rename = "dedicated")]
    Dedicated,
}

/// A part of a network in one Availability Zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, crate::Spec)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    /// The principals that may assume the role.
    assume_role_policy_document: PolicyDocument,
    /// The inline policies, by name.
    #[serde(default)]
    policies: BTreeMap<String, PolicyDocument>,
}

/// A set of running tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Service {
    /// The subnets of the tasks.
    subnets: BTreeSet<Ref<Subnet>>,
    /// The role of the tasks.
    role: Option<Ref<Role, crate::types::Arn>>,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
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
    #[spec(items = 1..=2, length = 1..=8, pattern = "[a-z]*")]
    topics: Option<Vec<String>>,
}

const STATUS: Record = Record {
    name: "Status",
    doc: "",
    fields: &[crate::schema::Field {
        name: "arn",
        doc: "The ARN.",
        ty: crate::schema::Type::Text,
        presence: crate::schema::Presence::Optional,
        immutable: false,
        in_place: None,
        constraints: &[],
        server_default: None,
        comparison: crate::schema::Comparison::BY_TYPE,
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
        consistency_window: Duration::from_secs(300),
        write_only: &[],
        status: &STATUS,
        relations: &[],
        check: no_check,
        document_relations: &[],
    }
}

fn check_service(name: &str, spec: &Value) -> Vec<ValidationError> {
    let stopped = spec.get("desiredCount") == Some(&Value::Integer(0));
    let command = stopped && spec.states("command") == Some(true);
    let command = command.then(|| ("command.0", "`command` needs a `desiredCount` above 0".to_owned()));
    let role = spec.get("cpu") == Some(&Value::Number(0.5)) && spec.states("role") == Some(false);
    let role = role.then(|| ("role", "a service with a `cpu` of 0.5 needs a `role`".to_owned()));
    let name = name.starts_with("web-").then(|| ("name", format!("the name `{name}` is already in use")));
    [command, role, name].into_iter().flatten().collect()
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
        check: check_service,
        ..schema("Service", &Service::RECORD, Tier::Compute)
    },
    &Schema {
        ownership: Ownership::ViaParent { field: "endpoint", key: &[] },
        ..schema("Subscription", &Subscription::RECORD, Tier::Operations)
    },
]);

/// Kinds with relations between resources.
pub(crate) const RELATED: Registry = Registry(&[
    &schema("Vpc", &Vpc::RECORD, Tier::Network),
    &Schema {
        document_relations: &[
            DocumentRelation::WithinBlock { field: "cidrBlock", parent: "vpc", blocks: &["cidrBlock"] },
            DocumentRelation::ZoneInRegion("availabilityZone"),
        ],
        ..schema("Subnet", &Subnet::RECORD, Tier::Network)
    },
    &Schema {
        naming: NamingRules::limit(32),
        idempotency: Idempotency::UniqueName,
        document_relations: &[
            DocumentRelation::Exclusive("subnets"),
            DocumentRelation::ReferenceInRegion { field: "upstream", region: "us-east-1" },
            DocumentRelation::ReferenceInRegion { field: "role", region: "us-east-1" },
            DocumentRelation::NamedIn { field: "environment.CALLS", reference: "upstream", names: "environment.NAME" },
        ],
        ..schema("Service", &Service::RECORD, Tier::Compute)
    },
    &Schema {
        ownership: Ownership::EmbeddedMarker { key: &["endpoint", "retries", "protocol"] },
        naming: NamingRules::limit(64),
        idempotency: Idempotency::UniqueName,
        document_relations: &[DocumentRelation::InRegion { field: "protocol", value: "sqs", region: "us-east-1" }],
        ..schema("Subscription", &Subscription::RECORD, Tier::Operations)
    },
    &Schema {
        global: true,
        ownership: Ownership::ViaParent { field: "assumeRolePolicyDocument", key: &[] },
        naming: NamingRules::limit(64),
        idempotency: Idempotency::UniqueName,
        ..schema("Role", &Role::RECORD, Tier::Operations)
    },
]);
