//! The parts that the fuzz targets share: two small kinds, and a document in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_core::Spec;
use holdfast_core::load::{InMemoryFiles, Request};
use holdfast_core::schema::{
    Idempotency, NamingRules, Ownership, Record, Registry, Replacement, Schema, Spec as _, Tier, no_check,
};
use holdfast_core::types::{Cidr, PolicyDocument, Ref};
use serde::{Deserialize, Serialize};

/// A network.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Vpc {
    /// The block of addresses.
    #[spec(immutable)]
    cidr_block: Cidr,
    /// True when instances get names.
    enable_dns_hostnames: Option<bool>,
}

/// A service with fields of most types.
#[derive(Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Service {
    /// The network.
    vpc: Ref<Vpc>,
    /// The number of tasks.
    desired_count: i32,
    /// The share of tasks that are on standby.
    standby: Option<f64>,
    /// The names of the zones.
    zones: BTreeSet<String>,
    /// The environment variables.
    environment: Option<BTreeMap<String, String>>,
    /// The permissions.
    policy: Option<PolicyDocument>,
}

/// The attributes of both kinds.
#[derive(Serialize, Spec)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    /// The ARN.
    arn: String,
}

const fn schema(kind: &'static str, record: &'static Record) -> Schema {
    Schema {
        kind,
        record,
        tier: Tier::Compute,
        ownership: Ownership::TagOnCreate,
        replacement: Replacement::CreateBeforeDestroy,
        naming: NamingRules::limit(64),
        idempotency: Idempotency::UniqueName,
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
        status: &Attributes::RECORD,
        relations: &[],
        check: no_check,
        document_relations: &[],
    }
}

static SCHEMAS: [&Schema; 2] = [&schema("Vpc", &Vpc::RECORD), &schema("Service", &Service::RECORD)];

/// The kinds that the documents of the fuzz targets may have.
pub const REGISTRY: Registry = Registry(&SCHEMAS);

/// The environment `dev` of the stack `shop`.
pub const ENVIRONMENT: &str = "apiVersion: holdfast/v1\nkind: Environment\nmetadata: { name: dev }\n\
    spec: { stack: shop, target: { account: \"123456789012\", region: us-east-1 } }\n";

/// The line that separates the files of one input.
const SEPARATOR: &str = "\n---\n";

/// Takes one text apart into a document in memory: the stack, and behind lines `---` its environment `dev` and a
/// component `part.yaml`. A missing environment is [`ENVIRONMENT`].
pub fn files(text: &str) -> InMemoryFiles {
    let mut parts = text.split(SEPARATOR);
    let mut files = BTreeMap::from([
        ("stack.yaml".to_owned(), parts.next().unwrap_or_default().to_owned()),
        ("environments/dev.yaml".to_owned(), parts.next().unwrap_or(ENVIRONMENT).to_owned()),
    ]);
    if let Some(component) = parts.next() {
        files.insert("part.yaml".to_owned(), component.to_owned());
    }
    InMemoryFiles(files)
}

/// The request for the environment `dev`.
pub fn request() -> Request<'static> {
    Request { path: ".", env: "dev", set: &[], source: "" }
}
