//! Kinds for tests: small ones that have a field of every type.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::schema::{Claim, CreateClass, Fault, Naming, Record, Registry, Replace, Schema, Spec as _, Tier, no_check};
use crate::types::{Cidr, Late, Policy, Ref};
use crate::value::Value;

/// A network of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Vpc {
    /// The block of addresses.
    #[spec(immutable)]
    cidr_block: Cidr,
    /// Whether instances get names.
    #[serde(default = "yes")]
    enable_dns_hostnames: bool,
    /// How instances share hardware.
    #[spec(immutable)]
    instance_tenancy: Option<Tenancy>,
}

fn yes() -> bool {
    true
}

/// How instances share hardware.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
pub(crate) enum Tenancy {
    /// With others.
    #[serde(rename = "default")]
    Default,
    /// With nobody.
    #[serde(rename = "dedicated")]
    Dedicated,
}

/// A part of a network, in one zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subnet {
    /// The network.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// The block of addresses.
    #[spec(immutable)]
    cidr_block: Cidr,
    /// The zone.
    #[spec(immutable)]
    availability_zone: String,
}

/// A firewall around resources.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecurityGroup {
    /// The network.
    #[spec(immutable)]
    vpc: Ref<Vpc>,
    /// What may come in.
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
    /// Who may come, as a group.
    security_group: Option<Late<Ref<SecurityGroup>>>,
}

/// What a service may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Role {
    /// Who may take the role.
    assume_role_policy_document: Policy,
    /// Policies of its own, by name.
    #[serde(default)]
    policies: BTreeMap<String, Policy>,
}

/// Something that runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Service {
    /// Where it runs.
    subnets: BTreeSet<Ref<Subnet>>,
    /// Its role.
    role: Option<Ref<Role, crate::types::Arn>>,
    /// The service behind it.
    upstream: Option<Ref<Service>>,
    /// What it runs.
    command: Option<Vec<String>>,
    /// Its environment.
    environment: Option<BTreeMap<String, String>>,
    /// How many run.
    desired_count: Option<i32>,
    /// How much of a processor it gets.
    cpu: Option<f64>,
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, crate::Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subscription {
    /// Where it is sent.
    #[spec(immutable)]
    endpoint: String,
}

const STATUS: Record = Record {
    name: "Status",
    doc: "",
    fields: &[crate::schema::Field {
        name: "arn",
        doc: "Its ARN.",
        ty: crate::schema::Type::Text,
        presence: crate::schema::Presence::Optional,
        immutable: false,
        late: false,
        once: false,
    }],
};

const fn schema(kind: &'static str, record: &'static Record, tier: Tier) -> Schema {
    Schema {
        kind,
        record,
        tier,
        claim: Claim::AtCreate,
        replace: Replace::CreateFirst,
        naming: Naming::TAG,
        class: CreateClass::Lookup,
        data: false,
        global: false,
        early: false,
        lag_seconds: 300,
        unobserved: &[],
        status: &STATUS,
        check: no_check,
    }
}

fn check_service(name: &str, spec: &Value) -> Vec<Fault> {
    let idle = spec.get("desiredCount") == Some(&Value::Integer(0));
    let command = idle && spec.states("command") == Some(true);
    let command = command.then(|| ("command.0", "nothing runs, so that nothing can have a command".to_owned()));
    let role = spec.get("cpu") == Some(&Value::Number(0.5)) && spec.states("role") == Some(false);
    let role = role.then(|| ("role", "what has half a processor needs a `role`".to_owned()));
    let name = name.starts_with("web-").then(|| ("name", format!("`{name}` is taken by somebody else")));
    [command, role, name].into_iter().flatten().collect()
}

/// All kinds for tests.
pub(crate) const REGISTRY: Registry = Registry(&[
    &schema("Vpc", &Vpc::RECORD, Tier::Network),
    &schema("Subnet", &Subnet::RECORD, Tier::Network),
    &schema("SecurityGroup", &SecurityGroup::RECORD, Tier::Network),
    &Schema { global: true, naming: Naming::limit(64), ..schema("Role", &Role::RECORD, Tier::Operations) },
    &Schema {
        naming: Naming::limit(32),
        class: CreateClass::Name,
        unobserved: &[("command", "AWS does not answer it")],
        check: check_service,
        ..schema("Service", &Service::RECORD, Tier::Compute)
    },
    &Schema {
        claim: Claim::Parent { field: "endpoint", key: &[] },
        ..schema("Subscription", &Subscription::RECORD, Tier::Operations)
    },
]);
