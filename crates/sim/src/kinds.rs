//! Small kinds for tests: one of each way to be named, claimed, created, replaced and slow.

use std::collections::BTreeSet;
use std::time::Duration;

use holdfast_core::Spec;
use holdfast_core::schema::{
    Claim, CreateClass, Naming, Record as Fields, Registry, Replace, Schema, Spec as _, Tier, no_check,
};
use holdfast_core::types::{Arn, Cidr, Late, Policy, Ref, Scaled};
use holdfast_core::value::Value;
use serde::{Deserialize, Serialize};

use crate::behaviour::Behaviour;
use crate::sim::Sim;

/// A network: server-made id, no token.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Vpc {
    /// The block of addresses.
    #[spec(immutable)]
    cidr_block: Cidr,
    /// Whether instances get names. The create call does not take it.
    enable_dns_hostnames: Option<bool>,
}

/// A part of a network.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Subnet {
    /// The network.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The block of addresses.
    #[spec(immutable)]
    cidr_block: Cidr,
    /// Whether instances get public addresses.
    map_public_ip: Option<bool>,
}

/// A firewall, which may name other firewalls.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct SecurityGroup {
    /// The network.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// What it is for.
    #[spec(immutable)]
    description: Option<String>,
    /// What may come in. The create call does not take it.
    ingress: Option<BTreeSet<Rule>>,
}

/// Who may come in where.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Rule {
    /// The port.
    port: i32,
    /// From where.
    cidr: Option<Cidr>,
    /// From whom.
    group: Option<Late<Ref<SecurityGroup>>>,
}

/// A way out of a network, slow to come and slow to go.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Gateway {
    /// Where it stands.
    #[spec(immutable)]
    subnet: Ref<Subnet>,
    /// Public or private.
    #[spec(immutable)]
    connectivity: Option<String>,
}

/// Who may do what: global, its name is its id.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Role {
    /// Where it is filed.
    #[spec(immutable)]
    path: Option<String>,
    /// What it may do.
    policy: Option<Policy>,
}

/// What a service runs: each change is a new revision.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct TaskDefinition {
    /// The image.
    image: String,
    /// Its memory.
    memory: Option<i32>,
    /// Who it is.
    role: Option<Ref<Role, Arn>>,
}

/// What runs: the old one has to go before a new one can come.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Service {
    /// What it runs.
    task_definition: Ref<TaskDefinition, Arn>,
    /// Its firewalls.
    groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// On what it runs.
    #[spec(immutable)]
    launch_type: Option<String>,
    /// How many of it there are.
    desired_count: Option<Scaled>,
    /// Words to run it with.
    settings: Option<std::collections::BTreeMap<String, String>>,
}

/// The band inside which a service's count may move.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct ScalableTarget {
    /// The service.
    #[spec(immutable)]
    service: Ref<Service>,
    /// The least.
    min_capacity: i32,
    /// The most.
    max_capacity: i32,
}

/// When the count moves: has no tags, its target remembers it.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct ScalingPolicy {
    /// The target.
    #[spec(immutable)]
    target: Ref<ScalableTarget>,
    /// The load to aim at.
    target_value: i32,
}

/// Data, and an endpoint once it is ready.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Table {
    /// How it is keyed.
    #[spec(immutable)]
    key: String,
    /// What it runs on: changes in the maintenance window.
    class: Option<String>,
    /// How long backups stay.
    backup_days: Option<i32>,
    /// Its firewalls.
    groups: Option<BTreeSet<Ref<SecurityGroup>>>,
}

/// A domain: two may have the same name, one for everybody and one for a network.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Zone {
    /// Whether it is for a network only.
    #[spec(immutable)]
    private: Option<bool>,
}

/// What a domain answers: its name is not its identity.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Record {
    /// The domain.
    #[spec(immutable)]
    zone: Ref<Zone>,
    /// What is asked.
    record_name: String,
    /// What tells it from others of that name.
    set: Option<String>,
    /// The answer.
    value: String,
}

/// What the cloud alone knows of most kinds.
#[derive(Serialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Known {
    /// Its ARN.
    arn: String,
}

/// What the cloud alone knows of a table.
#[derive(Serialize, Spec)]
#[serde(rename_all = "camelCase")]
struct TableStatus {
    /// Its ARN.
    arn: String,
    /// Where it is reached.
    endpoint: Option<String>,
}

/// What the cloud alone knows of a task definition.
#[derive(Serialize, Spec)]
#[serde(rename_all = "camelCase")]
struct TaskDefinitionStatus {
    /// Its ARN.
    arn: String,
    /// Its number.
    revision: i32,
    /// The ids of older ones.
    revisions: Vec<String>,
}

const fn schema(kind: &'static str, record: &'static Fields, tier: Tier, class: CreateClass) -> Schema {
    Schema {
        kind,
        record,
        tier,
        claim: Claim::AtCreate,
        replace: Replace::CreateFirst,
        naming: Naming::limit(64),
        class,
        data: false,
        global: false,
        early: false,
        lag_seconds: 10,
        unobserved: &[],
        status: &Known::RECORD,
        check: no_check,
    }
}

static SCHEMAS: [&Schema; 12] = [
    &Schema { naming: Naming::TAG, ..schema("Vpc", &Vpc::RECORD, Tier::Network, CreateClass::Lookup) },
    &Schema { naming: Naming::TAG, ..schema("Subnet", &Subnet::RECORD, Tier::Network, CreateClass::Lookup) },
    &schema("SecurityGroup", &SecurityGroup::RECORD, Tier::Network, CreateClass::Name),
    &Schema { naming: Naming::TAG, ..schema("Gateway", &Gateway::RECORD, Tier::Network, CreateClass::Token) },
    &Schema { global: true, ..schema("Role", &Role::RECORD, Tier::Operations, CreateClass::Name) },
    &Schema {
        replace: Replace::Revision { keep: 2 },
        status: &TaskDefinitionStatus::RECORD,
        ..schema("TaskDefinition", &TaskDefinition::RECORD, Tier::Compute, CreateClass::Lookup)
    },
    &Schema { replace: Replace::DeleteFirst, ..schema("Service", &Service::RECORD, Tier::Compute, CreateClass::Name) },
    &schema("ScalableTarget", &ScalableTarget::RECORD, Tier::Compute, CreateClass::Name),
    &Schema {
        claim: Claim::Parent { field: "target", key: &[] },
        ..schema("ScalingPolicy", &ScalingPolicy::RECORD, Tier::Compute, CreateClass::Name)
    },
    &Schema {
        early: true,
        data: true,
        status: &TableStatus::RECORD,
        ..schema("Table", &Table::RECORD, Tier::Data, CreateClass::Name)
    },
    &Schema {
        global: true,
        claim: Claim::Intent,
        replace: Replace::ByName,
        ..schema("Zone", &Zone::RECORD, Tier::Edge, CreateClass::Token)
    },
    &Schema {
        global: true,
        claim: Claim::Mark { key: &["zone", "recordName", "set"] },
        replace: Replace::DeleteFirst,
        ..schema("Record", &Record::RECORD, Tier::Edge, CreateClass::Name)
    },
];

/// The test kinds.
pub const REGISTRY: Registry = Registry(&SCHEMAS);

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// How they behave: gateways take a minute and a half, a service twenty seconds to go, and a
/// changed table refuses changes for forty.
pub static BEHAVIOURS: [Behaviour; 12] = behaviours(Duration::ZERO);

/// The same, with reads that lag eight seconds behind writes: within the ten that the schemas admit.
pub static LAGGING: [Behaviour; 12] = behaviours(seconds(8));

const fn behaviours(lag: Duration) -> [Behaviour; 12] {
    [
        Behaviour { lag, not_at_create: &["enableDnsHostnames"], ..Behaviour::prompt("Vpc", "vpc") },
        Behaviour { lag, ..Behaviour::prompt("Subnet", "subnet") },
        Behaviour {
            lag,
            not_at_create: &["ingress"],
            defaults: &[("ingress", || Value::List(vec![]))],
            tells: false,
            ..Behaviour::prompt("SecurityGroup", "sg")
        },
        Behaviour { lag, pending: seconds(90), deleting: seconds(60), ..Behaviour::prompt("Gateway", "gw") },
        Behaviour { lag, tells: false, ..Behaviour::prompt("Role", "") },
        // An inactive task definition goes on running.
        Behaviour { lag, loose: true, ..Behaviour::prompt("TaskDefinition", "") },
        Behaviour {
            lag,
            deleting: seconds(20),
            // Its scalable target stays, as in ECS.
            loose: true,
            defaults: &[("desiredCount", || Value::Integer(1))],
            ..Behaviour::prompt("Service", "")
        },
        Behaviour { lag, ..Behaviour::prompt("ScalableTarget", "target") },
        Behaviour { lag, ..Behaviour::prompt("ScalingPolicy", "policy") },
        Behaviour {
            lag,
            pending: seconds(30),
            updating: seconds(40),
            later: &["class"],
            when_ready: Some("endpoint"),
            ..Behaviour::prompt("Table", "")
        },
        Behaviour { lag, ..Behaviour::prompt("Zone", "zone") },
        Behaviour { lag, ..Behaviour::prompt("Record", "record") },
    ]
}

impl Sim {
    /// An empty account with the test kinds.
    pub fn of_test_kinds() -> Sim {
        Sim::new(REGISTRY, &BEHAVIOURS)
    }

    /// An empty account with the test kinds, whose reads lag behind their writes.
    pub fn of_lagging_kinds() -> Sim {
        Sim::new(REGISTRY, &LAGGING)
    }
}
