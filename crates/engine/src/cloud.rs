//! The port of the engine to a cloud: observations and operations, and their failures.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use holdfast_core::observed::Observed;
pub use holdfast_core::operation::{DesiredResource, Mutation, Operation};
use holdfast_core::schema::{Registry, Schema};
use holdfast_core::value::Value;

/// A cloud: AWS, or one in memory.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// Returns the schemas of all kinds.
    fn registry(&self) -> Registry;

    /// Returns the schema of a kind.
    fn schema(&self, kind: &str) -> Option<&'static Schema> {
        self.registry().get(kind)
    }

    /// Returns the account of the credentials.
    async fn account(&self) -> Result<String, Failure>;

    /// Observes a kind in a region: the live resources that the scope asks for. Never changes anything.
    async fn observe(&self, kind: &str, scope: &Scope) -> Result<Vec<Observed>, Failure>;

    /// Carries out one operation on one resource.
    async fn apply(&self, operation: &Operation) -> Result<OperationResult, Failure>;

    /// Returns the counts of calls since the process started.
    fn calls(&self) -> crate::budget::Counts;
}

/// The scope of an observation of one kind in one region: the resources that it should find, and no more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The account.
    pub account: String,
    /// The region; empty for a global kind.
    pub region: String,
    /// The owners whose resources are in scope: pairs of stack and environment.
    pub owners: BTreeSet<(String, String)>,
    /// The owners whose resources of any kind in any region are in scope of the refresh: one query of the tag index
    /// serves all kinds.
    pub all_owners: BTreeSet<(String, String)>,
    /// The physical names that the document states or that follow from it, generations included. For a kind whose
    /// identity consists of several fields: those fields that are not references, normalized and joined with `_`.
    pub names: BTreeSet<String>,
    /// The resources that these resources refer to, by kind and name or id: children are found through their parents,
    /// whether or not the parents are owned. The text is empty for a parent whose name and id are not known yet,
    /// because it is looked up.
    pub parents: BTreeSet<(&'static str, String)>,
    /// The prefixes of generated names: a hint at resources that left the document.
    pub prefixes: BTreeSet<String>,
    /// The ids of resources that are not owned: they are looked up or to be adopted.
    pub ids: BTreeSet<String>,
    /// The partial specs of resources that are looked up by their fields.
    pub lookups: Vec<Value>,
    /// The top-level fields that the document states of each resource, by address. A field that the document does not
    /// state need not be read if that takes a call of its own. `None` when every field may matter: see
    /// [`Scope::is_requested_field`].
    pub fields: Option<BTreeMap<String, BTreeSet<String>>>,
    /// The resources that this pass created there, which need not be read again.
    pub confirmed: Confirmed,
    /// True when tags may be read from an index that lags behind (the Resource Groups Tagging API): in the initial
    /// refresh of a pass.
    pub from_index: bool,
    /// The number of the refresh that this observation belongs to: a call whose response several kinds need is made
    /// once in a refresh.
    pub refresh: u64,
}

/// The resources of one kind in one region that the pass itself created, and whose state is known from the responses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confirmed {
    /// The tags of those resources, by id and by ARN: they need not be read.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    /// True when no other owned resource was found there: then nothing has to be listed.
    pub all: bool,
}

impl Scope {
    /// True when a resource of that name may be in scope: the document names it, or it has a generated name.
    pub fn is_candidate(&self, name: &str) -> bool {
        self.names.contains(name) || self.prefixes.iter().any(|p| name.starts_with(p.as_str()))
    }

    /// True when the children of a parent of this kind and this name or id may be in scope.
    pub fn is_parent(&self, kind: &str, identity: &str) -> bool {
        self.parents.iter().any(|(of, parent)| *of == kind && (parent.is_empty() || parent == identity))
            || self.prefixes.iter().any(|p| identity.starts_with(p.as_str()))
    }

    /// True when this field of the resource with these tags may be compared. No field of a resource that left the
    /// document is compared: the resource is only deleted.
    pub fn is_requested_field(&self, tags: &BTreeMap<String, String>, field: &str) -> bool {
        let stated = |fields: &BTreeMap<String, BTreeSet<String>>| {
            let of = tags.get(holdfast_core::observed::tag::ADDRESS).and_then(|address| fields.get(address));
            of.is_some_and(|fields| fields.contains(field))
        };
        self.fields.as_ref().is_none_or(stated)
    }

    /// True when these tags name an owner in scope.
    pub fn is_owned(&self, tags: &BTreeMap<String, String>) -> bool {
        use holdfast_core::observed::tag;
        match (tags.get(tag::STACK), tags.get(tag::ENV)) {
            (Some(stack), Some(env)) => self.owners.contains(&(stack.clone(), env.clone())),
            _ => false,
        }
    }
}

/// The result of an [`Operation`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OperationResult {
    /// The id of the created resource, for a create.
    pub id: Option<String>,
    /// The live resource after the operation, as the response and the request define it. `None` when only an
    /// observation can show it.
    pub live: Option<Observed>,
}

/// The class of a failure: how the engine reacts to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum FailureClass {
    /// AWS rejected the call because of its rate: the call budget shrinks, and the call is retried.
    Throttled,
    /// A dependency does not exist yet or is still in use: the step is retried after the next observation.
    NotYet,
    /// A retry cannot succeed: a person must act.
    Terminal,
    /// The cause is temporary: the step is retried with backoff.
    Transient,
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}{}", code.as_deref().map(|c| format!(" ({c})")).unwrap_or_default())]
pub struct Failure {
    /// The class of the failure.
    pub class: FailureClass,
    /// True when the call may have had its effect nevertheless: no response arrived, or an internal error.
    pub ambiguous: bool,
    /// The service and the operation, as in `ec2.CreateVpc`.
    pub operation: String,
    /// The error code of the service, if the response has one.
    pub code: Option<String>,
    /// The message of the service, or a description of the failure.
    pub message: String,
}

impl Failure {
    /// Returns a terminal failure: a retry cannot succeed.
    pub fn terminal(operation: &str, message: impl Into<String>) -> Failure {
        Failure {
            class: FailureClass::Terminal,
            ambiguous: false,
            operation: operation.into(),
            code: None,
            message: message.into(),
        }
    }

    /// Returns a failure because of a dependency that does not exist yet or is still in use.
    pub fn not_yet(operation: &str, message: impl Into<String>) -> Failure {
        Failure { class: FailureClass::NotYet, ..Failure::terminal(operation, message) }
    }
}
