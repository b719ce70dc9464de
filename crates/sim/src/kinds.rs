//! Small kinds for tests, which cover each way to name, own, create and replace a resource, and slow changes.
//!
//! The kinds have the names of AWS's kinds on purpose, so that scenarios read like documents.

use std::collections::BTreeSet;
use std::time::Duration;

use holdfast_core::Spec;
use holdfast_core::schema::{
    Idempotency, NamingRules, Ownership, Record as Fields, Registry, Replacement, Schema, Spec as _, Tier, no_check,
};
use holdfast_core::types::{AfterCreate, Arn, AutoscaledCount, Cidr, PolicyDocument, Ref};
use holdfast_core::value::Value;
use serde::{Deserialize, Serialize};

use crate::behaviour::Behaviour;
use crate::sim::Sim;

/// A network. AWS generates its id, and its create takes no client token.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Vpc {
    /// The CIDR block.
    #[spec(immutable)]
    cidr_block: Cidr,
    /// True when instances get DNS hostnames. The create call does not accept the field.
    enable_dns_hostnames: Option<bool>,
}

/// A subnet of a network.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Subnet {
    /// The network of the resource.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The CIDR block.
    #[spec(immutable)]
    cidr_block: Cidr,
    /// True when instances get public addresses.
    map_public_ip: Option<bool>,
}

/// A firewall, which can refer to other firewalls.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct SecurityGroup {
    /// The network of the resource.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The description.
    #[spec(immutable)]
    description: Option<String>,
    /// The inbound rules. The create call does not accept the field.
    ingress: Option<BTreeSet<Rule>>,
}

/// An inbound rule.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Rule {
    /// The port.
    port: i32,
    /// The allowed CIDR block.
    cidr: Option<Cidr>,
    /// The allowed security group.
    group: Option<AfterCreate<Ref<SecurityGroup>>>,
}

/// A gateway of a network. Its create and deletion are slow.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Gateway {
    /// The subnet of the gateway.
    #[spec(immutable)]
    subnet: Ref<Subnet>,
    /// The connectivity: public or private.
    #[spec(immutable)]
    connectivity: Option<String>,
}

/// A role. It is global, and its name is its id.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Role {
    /// The path.
    #[spec(immutable)]
    path: Option<String>,
    /// The policy document.
    policy: Option<PolicyDocument>,
}

/// The definition of a service's tasks. Each change registers a new revision.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct TaskDefinition {
    /// The image.
    image: String,
    /// The memory.
    memory: Option<i32>,
    /// The task role.
    role: Option<Ref<Role, Arn>>,
}

/// A service. Its replacement is destroy before create.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Service {
    /// The task definition.
    task_definition: Ref<TaskDefinition, Arn>,
    /// The security groups.
    groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// The launch type.
    #[spec(immutable)]
    launch_type: Option<String>,
    /// The number of tasks.
    desired_count: Option<AutoscaledCount>,
    /// True when AWS refuses to delete the service.
    deletion_protection: Option<bool>,
    /// The settings of the tasks.
    settings: Option<std::collections::BTreeMap<String, String>>,
}

/// The range in which an autoscaler changes a service's number of tasks.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct ScalableTarget {
    /// The service.
    #[spec(immutable)]
    service: Ref<Service>,
    /// The minimum.
    min_capacity: i32,
    /// The maximum.
    max_capacity: i32,
}

/// A scaling policy. It has no tags: the tags of its target record it.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct ScalingPolicy {
    /// The target.
    #[spec(immutable)]
    target: Ref<ScalableTarget>,
    /// The target load.
    target_value: i32,
}

/// A data store, with an endpoint once it is ready.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Table {
    /// The key.
    #[spec(immutable)]
    key: String,
    /// The instance class, which changes in the maintenance window.
    class: Option<String>,
    /// The retention of backups in days.
    backup_days: Option<i32>,
    /// The security groups.
    groups: Option<BTreeSet<Ref<SecurityGroup>>>,
}

/// A hosted zone. A public and a private zone can have the same name.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Zone {
    /// True for a private zone.
    #[spec(immutable)]
    private: Option<bool>,
}

/// A DNS record. Its name is not its identity.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Record {
    /// The zone.
    #[spec(immutable)]
    zone: Ref<Zone>,
    /// The name of the record.
    record_name: String,
    /// The identifier among records of the same name.
    set: Option<String>,
    /// The value.
    value: String,
}

/// A listener on a port of a network. Two listeners cannot have one port.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Listener {
    /// The network of the resource.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The port.
    port: i32,
}

/// A topic. Its list response has no tags, so only its name shows whether it may be owned.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Topic {
    /// True for a FIFO topic.
    #[spec(immutable)]
    fifo: Option<bool>,
    /// The display name.
    display_name: Option<String>,
}

/// A subscription to a topic. It has no tags: the tags of its topic record it, by its endpoint.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    /// The topic.
    #[spec(immutable)]
    topic: Ref<Topic>,
    /// The endpoint.
    #[spec(immutable)]
    endpoint: String,
    /// True when messages are delivered without metadata.
    raw: Option<bool>,
}

/// The status of most kinds.
#[derive(Serialize, Spec)]
#[serde(rename_all = "camelCase")]
struct ArnStatus {
    /// The ARN.
    arn: String,
}

/// The status of a table.
#[derive(Serialize, Spec)]
#[serde(rename_all = "camelCase")]
struct TableStatus {
    /// The ARN.
    arn: String,
    /// The endpoint.
    endpoint: Option<String>,
}

/// The status of a task definition.
#[derive(Serialize, Spec)]
#[serde(rename_all = "camelCase")]
struct TaskDefinitionStatus {
    /// The ARN.
    arn: String,
    /// The number of the revision.
    revision: i32,
    /// The ids of older revisions.
    revisions: Vec<String>,
}

const fn schema(kind: &'static str, record: &'static Fields, tier: Tier, idempotency: Idempotency) -> Schema {
    Schema {
        kind,
        record,
        tier,
        ownership: Ownership::TagOnCreate,
        replacement: Replacement::CreateBeforeDestroy,
        naming: NamingRules::limit(64),
        idempotency,
        stateful: false,
        global: false,
        referenceable_on_create: false,
        unique: &[],
        releases: &[],
        deleted_with: None,
        deletion_protection: None,
        fits: &[],
        consistency_window: Duration::from_secs(10),
        write_only: &[],
        status: &ArnStatus::RECORD,
        relations: &[],
        check: no_check,
        document_relations: &[],
    }
}

static SCHEMAS: [&Schema; 15] = [
    &Schema { naming: NamingRules::TAG, ..schema("Vpc", &Vpc::RECORD, Tier::Network, Idempotency::FindByTags) },
    &Schema {
        naming: NamingRules::TAG,
        unique: &[&["vpc", "cidrBlock"]],
        ..schema("Subnet", &Subnet::RECORD, Tier::Network, Idempotency::FindByTags)
    },
    &schema("SecurityGroup", &SecurityGroup::RECORD, Tier::Network, Idempotency::UniqueName),
    &Schema {
        naming: NamingRules::TAG,
        ..schema("Gateway", &Gateway::RECORD, Tier::Network, Idempotency::ClientToken)
    },
    &Schema { global: true, ..schema("Role", &Role::RECORD, Tier::Operations, Idempotency::UniqueName) },
    &Schema {
        replacement: Replacement::Revision { keep: 2 },
        status: &TaskDefinitionStatus::RECORD,
        ..schema("TaskDefinition", &TaskDefinition::RECORD, Tier::Compute, Idempotency::FindByTags)
    },
    &Schema {
        replacement: Replacement::DestroyBeforeCreate,
        deletion_protection: Some("deletionProtection"),
        ..schema("Service", &Service::RECORD, Tier::Compute, Idempotency::UniqueName)
    },
    &Schema {
        releases: &["service"],
        ..schema("ScalableTarget", &ScalableTarget::RECORD, Tier::Compute, Idempotency::UniqueName)
    },
    &Schema {
        ownership: Ownership::ViaParent { field: "target", key: &[] },
        deleted_with: Some("target"),
        ..schema("ScalingPolicy", &ScalingPolicy::RECORD, Tier::Compute, Idempotency::UniqueName)
    },
    &Schema {
        referenceable_on_create: true,
        stateful: true,
        status: &TableStatus::RECORD,
        ..schema("Table", &Table::RECORD, Tier::Data, Idempotency::UniqueName)
    },
    &Schema {
        global: true,
        ownership: Ownership::CallerReference,
        replacement: Replacement::ByName,
        ..schema("Zone", &Zone::RECORD, Tier::Edge, Idempotency::ClientToken)
    },
    &Schema {
        global: true,
        ownership: Ownership::EmbeddedMarker { key: &["zone", "recordName", "set"] },
        replacement: Replacement::DestroyBeforeCreate,
        ..schema("Record", &Record::RECORD, Tier::Edge, Idempotency::UniqueName)
    },
    &Schema {
        naming: NamingRules::TAG,
        unique: &[&["vpc", "port"]],
        ..schema("Listener", &Listener::RECORD, Tier::Compute, Idempotency::FindByTags)
    },
    &schema("Topic", &Topic::RECORD, Tier::Operations, Idempotency::UniqueName),
    &Schema {
        ownership: Ownership::ViaParent { field: "topic", key: &["endpoint"] },
        naming: NamingRules::TAG,
        ..schema("Subscription", &Subscription::RECORD, Tier::Operations, Idempotency::FindByTags)
    },
];

/// The test kinds.
pub const REGISTRY: Registry = Registry(&SCHEMAS);

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The behaviour of the test kinds, without lag. A gateway is pending for 90 seconds, the deletion of a service takes
/// 20 seconds, and a changed table refuses other changes for 40 seconds.
pub static BEHAVIOURS: [Behaviour; 15] = behaviours(Duration::ZERO);

/// The behaviour of the test kinds, with reads that lag 8 seconds behind writes. The consistency window of the schemas
/// is 10 seconds.
pub static LAGGING: [Behaviour; 15] = behaviours(seconds(8));

const fn behaviours(lag: Duration) -> [Behaviour; 15] {
    [
        Behaviour { lag, not_at_create: &["enableDnsHostnames"], ..Behaviour::immediate("Vpc", "vpc") },
        Behaviour { lag, ..Behaviour::immediate("Subnet", "subnet") },
        Behaviour {
            lag,
            not_at_create: &["ingress"],
            defaults: &[("ingress", || Value::List(vec![]))],
            full_response: false,
            ..Behaviour::immediate("SecurityGroup", "sg")
        },
        Behaviour { lag, pending: seconds(90), deleting: seconds(60), ..Behaviour::immediate("Gateway", "gw") },
        Behaviour { lag, full_response: false, ..Behaviour::immediate("Role", "") },
        // Services continue to run an inactive task definition.
        Behaviour { lag, deletable_in_use: true, ..Behaviour::immediate("TaskDefinition", "") },
        Behaviour {
            lag,
            deleting: seconds(20),
            // The scalable target of a deleted service remains, as in ECS.
            deletable_in_use: true,
            defaults: &[("desiredCount", || Value::Integer(1))],
            ..Behaviour::immediate("Service", "")
        },
        Behaviour { lag, ..Behaviour::immediate("ScalableTarget", "target") },
        Behaviour { lag, ..Behaviour::immediate("ScalingPolicy", "policy") },
        Behaviour {
            lag,
            pending: seconds(30),
            updating: seconds(40),
            in_maintenance_window: &["class"],
            status_when_ready: Some("endpoint"),
            ..Behaviour::immediate("Table", "")
        },
        Behaviour { lag, defaults: &[("private", || Value::Bool(false))], ..Behaviour::immediate("Zone", "zone") },
        Behaviour { lag, ..Behaviour::immediate("Record", "record") },
        Behaviour { lag, ..Behaviour::immediate("Listener", "listener") },
        Behaviour { lag, listed_by_name: true, ..Behaviour::immediate("Topic", "topic") },
        Behaviour { lag, ..Behaviour::immediate("Subscription", "subscription") },
    ]
}

impl Sim {
    /// Returns an empty account with the test kinds.
    pub fn of_test_kinds() -> Sim {
        Sim::new(REGISTRY, &BEHAVIOURS)
    }

    /// Returns an empty account with the test kinds, whose reads lag behind writes.
    pub fn of_lagging_kinds() -> Sim {
        Sim::new(REGISTRY, &LAGGING)
    }
}
