//! The one port: what a cloud has to be able to do.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use holdfast_core::observed::Observed;
pub use holdfast_core::op::{Op, Wanted};
use holdfast_core::schema::{Registry, Schema};
use holdfast_core::value::Value;

/// A cloud: AWS, or one in memory.
#[async_trait]
pub trait Cloud: Send + Sync {
    /// All the kinds it knows.
    fn registry(&self) -> Registry;

    /// The schema of a kind.
    fn schema(&self, kind: &str) -> Option<&'static Schema> {
        self.registry().get(kind)
    }

    /// The account that the caller is in.
    async fn account(&self) -> Result<String, Failure>;

    /// Looks at a kind: everything of it that the scope asks for. Never changes anything.
    async fn observe(&self, kind: &str, scope: &Scope) -> Result<Vec<Observed>, Failure>;

    /// Does one thing to one resource.
    async fn apply(&self, kind: &str, region: &str, op: &Op) -> Result<Done, Failure>;

    /// How many calls were made since the start, and by whom they were refused.
    fn calls(&self) -> crate::budget::Counts;
}

/// What an observation of a kind should find, and no more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The account.
    pub account: String,
    /// The region; empty for a global kind.
    pub region: String,
    /// The owners whose resources are wanted: pairs of stack and environment.
    pub owners: BTreeSet<(String, String)>,
    /// The owners whose resources of any kind are wanted anywhere: one question to an index serves all kinds.
    pub all_owners: BTreeSet<(String, String)>,
    /// Physical names that the document gives or that follow from it, generations included. Of a kind whose identity is
    /// several fields, those of them that are no references, in their one spelling with `_` in between.
    pub names: BTreeSet<String>,
    /// What these resources refer to, by kind and name or id: children are found through their parents, whoever
    /// owns those. Of a parent that is looked up by its fields neither is known yet, and the text is empty.
    pub parents: BTreeSet<(&'static str, String)>,
    /// What our default names begin with: a hint at candidates that left the document.
    pub prefixes: BTreeSet<String>,
    /// Ids of resources that are not ours: looked up or adopted.
    pub ids: BTreeSet<String>,
    /// Partial specs of resources that are looked up by their fields.
    pub lookups: Vec<Value>,
    /// The top-level fields that the document states of each resource, by its address: what nobody states need not be
    /// asked for where it costs a call of its own. None when all of them may matter: see [`Scope::asks_for`].
    pub fields: Option<BTreeMap<String, BTreeSet<String>>>,
    /// What this pass made there.
    pub known: Known,
    /// True when tags may be read from an index that lags behind: the first look of a pass.
    pub hints: bool,
    /// The sweep that this is part of: calls whose answers several kinds need are made once in a sweep.
    pub sweep: u64,
}

/// What is known of a place before a look at it: what the pass made there itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// The tags that it was given, by id and by ARN: they need not be read.
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    /// True when nothing else of ours was there: then nothing has to be listed.
    pub all: bool,
}

impl Scope {
    /// True when a resource of that name may be wanted: named by the document, or by our prefix.
    pub fn is_candidate(&self, name: &str) -> bool {
        self.names.contains(name) || self.prefixes.iter().any(|p| name.starts_with(p.as_str()))
    }

    /// True when what is under a parent of this kind and this name or id may be wanted.
    pub fn is_parent(&self, kind: &str, identity: &str) -> bool {
        self.parents.iter().any(|(of, parent)| *of == kind && (parent.is_empty() || parent == identity))
            || self.prefixes.iter().any(|p| identity.starts_with(p.as_str()))
    }

    /// True when this field of what has these tags may be compared. Nothing is, of what left the document: it is only
    /// deleted.
    pub fn asks_for(&self, tags: &BTreeMap<String, String>, field: &str) -> bool {
        let stated = |fields: &BTreeMap<String, BTreeSet<String>>| {
            let of = tags.get(holdfast_core::observed::tag::ADDRESS).and_then(|address| fields.get(address));
            of.is_some_and(|fields| fields.contains(field))
        };
        self.fields.as_ref().is_none_or(stated)
    }

    /// True when these tags name one of the wanted owners.
    pub fn is_owned(&self, tags: &BTreeMap<String, String>) -> bool {
        use holdfast_core::observed::tag;
        match (tags.get(tag::STACK), tags.get(tag::ENV)) {
            (Some(stack), Some(env)) => self.owners.contains(&(stack.clone(), env.clone())),
            _ => false,
        }
    }
}

/// What came of an [`Op`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// The id of what was made, for a create.
    pub id: Option<String>,
    /// What is there now, as far as the answer and what was asked for tell; none when only a look can tell.
    pub live: Option<Observed>,
}

/// What an error means to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Class {
    /// Too many calls: the budget shrinks, the step is tried again.
    Throttled,
    /// Something it needs is not there yet, or still in use: tried again after the next look.
    NotYet,
    /// It will not work however often it is tried: a person has to act.
    Terminal,
    /// A fault of the moment: tried again.
    Transient,
}

/// A call that did not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation}: {message}{}", code.as_deref().map(|c| format!(" ({c})")).unwrap_or_default())]
pub struct Failure {
    /// What it means.
    pub class: Class,
    /// True when the call may have taken effect all the same.
    pub ambiguous: bool,
    /// The service and operation, as in `ec2.CreateVpc`.
    pub operation: String,
    /// The service's error code, if it gave one.
    pub code: Option<String>,
    /// The service's message, or what happened instead.
    pub message: String,
}

impl Failure {
    /// A failure that no repetition mends.
    pub fn terminal(operation: &str, message: impl Into<String>) -> Failure {
        Failure {
            class: Class::Terminal,
            ambiguous: false,
            operation: operation.into(),
            code: None,
            message: message.into(),
        }
    }

    /// Something is missing for now.
    pub fn not_yet(operation: &str, message: impl Into<String>) -> Failure {
        Failure { class: Class::NotYet, ..Failure::terminal(operation, message) }
    }
}
