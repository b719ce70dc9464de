//! Rollback: a resource runs an earlier revision, and the document's newer revision is held.
//!
//! An owner tag of the resource records the hold: the digest of the held edit, and the revision that runs instead. The
//! hold ends once the document changes the resource that has the revisions.

pub(crate) mod pin;

use std::collections::BTreeMap;

use crate::address::Address;
use crate::digest;
use crate::document::{Document, Resource};
use crate::graph::Graph;
use crate::inventory::match_resources;
use crate::inventory::proof::Records;
use crate::observed::{Observation, tag};
use crate::operation::{DesiredResource, Mutation, Operation};
use crate::schema::Schema;
use crate::value::Value;
use pin::{RollbackTag, is_called, revision_reference, revisions, short};

/// The reason for an error when no observed resource belongs to the address.
const NO_LIVE_RESOURCE: &str = "no live resource has its owner tags";

/// The operations of a rollback, or of its release.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    /// The operations, in order. The hold comes before the change, so that no other pass reverts the change in between.
    pub operations: Vec<Operation>,
    /// The revision that ran before.
    pub from: String,
    /// The revision that runs afterwards.
    pub to: String,
    /// True when the document's own revision is held from then on.
    pub held: bool,
}

/// The reason why a rollback is not possible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// The document does not contain the resource.
    #[error("the document has no {0}")]
    Unknown(Address),
    /// The resource refers to no resource with revisions, or cannot have the tag that records the hold.
    #[error("{0} runs no revision of this document, so it cannot be rolled back")]
    NoRevisions(Address),
    /// The resource, or the resource with the revisions, does not exist or could not be observed.
    #[error("{0} does not exist or could not be observed: {1}")]
    NotLive(Address, String),
    /// The revision that runs is the oldest known one.
    #[error("there is no revision before {0}; {1}")]
    NoneBefore(String, String),
    /// No known revision has the name.
    #[error("there is no revision `{0}`; {1}")]
    NotKnown(String, String),
    /// The revision runs already.
    #[error("{0} runs already, so nothing was changed")]
    Runs(String),
}

/// Returns the operations that make a resource run an earlier revision: the named one, or the one before the revision
/// that runs now.
///
/// # Errors
/// Returns an error when the resource has no revisions or does not exist, or when the revision is not known.
pub fn rollback(
    document: &Document,
    observation: &Observation,
    address: &Address,
    to: Option<&str>,
    records: &Records,
) -> Result<Rollback, RollbackError> {
    let (resource, field, of) = subject(document, address)?;
    let inventory = match_resources(document, observation, &Graph::of(document).order(), &[], records);
    let live_of = |address: &Address| {
        let why = || inventory.holds.get(address).map_or(NO_LIVE_RESOURCE, |hold| &hold.message).to_owned();
        inventory.active.get(address).copied().ok_or_else(|| RollbackError::NotLive(address.clone(), why()))
    };
    let (live, newest) = (live_of(address)?, live_of(&of.address)?);
    let known = revisions(newest);
    let runs = live.spec.get(field).and_then(Value::text).unwrap_or_default();
    let available = match known.iter().map(|id| short(id)).collect::<Vec<_>>()[..] {
        [] => "no revision is known".to_owned(),
        ref names => format!("known revisions: {}", names.join(", ")),
    };
    let target = match to {
        Some(name) => known
            .iter()
            .find(|id| is_called(id, name))
            .ok_or_else(|| RollbackError::NotKnown(name.to_owned(), available))?,
        None => {
            let at = known.iter().position(|id| *id == runs);
            let before = at.and_then(|at| known.get(at + 1));
            before.ok_or_else(|| RollbackError::NoneBefore(runs.to_owned(), available))?
        }
    };
    if *target == runs {
        return Err(RollbackError::Runs(runs.to_owned()));
    }
    // Holdfast does not correct an ignored field, so the revision needs no hold.
    let held = !resource.lifecycle.ignore.iter().any(|path| path == field);
    let rollback_tag = RollbackTag { digest: digest::of(of), revision: short(target).to_owned() };
    let set = BTreeMap::from([(tag::ROLLBACK.to_owned(), rollback_tag.value())]);
    let tag = Mutation::Tag { live: Box::new(live.clone()), set, remove: [].into() };
    let mut spec = live.spec.map().cloned().unwrap_or_default();
    spec.insert(field.to_owned(), Value::Text((*target).to_owned()));
    let desired = DesiredResource {
        address: address.to_string(),
        name: live.name.clone(),
        spec: Value::Map(spec),
        changed: [field.to_owned()].into(),
        ..DesiredResource::default()
    };
    let update = Mutation::Update { live: Box::new(live.clone()), desired };
    let operation = |mutation| Operation { kind: resource.schema.kind, region: live.region.clone(), mutation };
    let mutations = if held { vec![tag, update] } else { vec![update] };
    Ok(Rollback {
        operations: mutations.into_iter().map(operation).collect(),
        from: runs.to_owned(),
        to: (*target).to_owned(),
        held,
    })
}

/// Returns the operations that end the hold of a rollback; none when nothing is held.
///
/// # Errors
/// Returns an error when the resource has no revisions or does not exist.
pub fn release(
    document: &Document,
    observation: &Observation,
    address: &Address,
    records: &Records,
) -> Result<Rollback, RollbackError> {
    let (resource, field, _) = subject(document, address)?;
    let inventory = match_resources(document, observation, &Graph::of(document).order(), &[], records);
    let missing = || RollbackError::NotLive(address.clone(), NO_LIVE_RESOURCE.to_owned());
    let live = inventory.active.get(address).copied().ok_or_else(missing)?;
    let runs = live.spec.get(field).and_then(Value::text).unwrap_or_default();
    let remove = [tag::ROLLBACK.to_owned()].into();
    let mutation = Mutation::Tag { live: Box::new(live.clone()), set: BTreeMap::new(), remove };
    let operation = Operation { kind: resource.schema.kind, region: live.region.clone(), mutation };
    Ok(Rollback {
        operations: if live.tags.contains_key(tag::ROLLBACK) { vec![operation] } else { vec![] },
        from: runs.to_owned(),
        to: runs.to_owned(),
        held: false,
    })
}

/// Returns the kinds that a rollback has to observe.
///
/// # Errors
/// Returns an error when the document does not contain the resource, or the resource runs no revision of the document.
pub fn kinds(document: &Document, address: &Address) -> Result<[&'static Schema; 2], RollbackError> {
    let (resource, _, of) = subject(document, address)?;
    Ok([resource.schema, of.schema])
}

fn subject<'d>(
    document: &'d Document,
    address: &Address,
) -> Result<(&'d Resource, &'static str, &'d Resource), RollbackError> {
    let resource = document.resources.get(address).ok_or_else(|| RollbackError::Unknown(address.clone()))?;
    let has_tags = resource.schema.ownership.takes_tags() && !resource.is_lookup();
    let (field, of) = revision_reference(document, resource)
        .filter(|_| has_tags)
        .ok_or_else(|| RollbackError::NoRevisions(address.clone()))?;
    Ok((resource, field, of))
}
