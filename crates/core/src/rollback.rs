//! Rollback: a resource runs an earlier revision, and the document's newer one is held back from it.
//!
//! The hold is an owner tag of the resource: which edit of the revision's document is held back, as its digest, and
//! which revision runs instead. It ends by itself once the document says something else.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::digest;
use crate::document::{Document, Resource};
use crate::graph::Graph;
use crate::observed::{Observation, Observed, tag};
use crate::op::{Op, Wanted};
use crate::schema::{Replace, Schema};
use crate::situation::situation;
use crate::value::{Reference, Value};

/// What the tag says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark {
    /// The digest of what the document says of the revision that is held back.
    digest: String,
    /// The revision that runs instead, as people call it.
    revision: String,
}

impl Mark {
    fn read(live: &Observed) -> Option<Mark> {
        let (digest, revision) = live.tags.get(tag::ROLLBACK)?.split_once('.')?;
        Some(Mark { digest: digest.to_owned(), revision: revision.to_owned() })
    }

    fn value(&self) -> String {
        format!("{}.{}", self.digest, self.revision)
    }
}

/// A revision that a resource is kept at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pin {
    /// The field that names it.
    pub(crate) field: &'static str,
    /// It; what is live, when it is not known any more.
    pub(crate) to: Value,
    /// It, as people call it.
    pub(crate) revision: String,
    /// What has the revisions.
    pub(crate) of: Address,
}

/// The revision that a live resource is kept at: the one of its tag, as long as the document says of the revision
/// what it said then.
pub(crate) fn pin(
    document: &Document,
    resource: &Resource,
    live: &Observed,
    current: &BTreeMap<Address, &Observed>,
) -> Option<Pin> {
    let mark = Mark::read(live)?;
    let (field, of) = runs(document, resource)?;
    if digest::of(of) != mark.digest || resource.lifecycle.ignore.iter().any(|path| path == field) {
        return None;
    }
    let known = current.get(&of.address).map(|revision| revisions(revision)).unwrap_or_default();
    let to = known.into_iter().find(|id| is_called(id, &mark.revision)).map(|id| Value::Text(id.to_owned()));
    let to = to.or_else(|| live.spec.get(field).cloned())?;
    Some(Pin { field, to, revision: mark.revision, of: of.address.clone() })
}

/// The field by which a resource names what it runs, and that, when it comes in revisions.
fn runs<'d>(document: &'d Document, resource: &Resource) -> Option<(&'static str, &'d Resource)> {
    resource.schema.record.fields.iter().find_map(|field| {
        let Some(Value::Reference(Reference { address, .. })) = resource.spec.get(field.name) else { return None };
        let of = document.resources.get(address)?;
        matches!(of.schema.replace, Replace::Revision { .. }).then_some((field.name, of))
    })
}

/// All revisions that are known, the newest first.
fn revisions(newest: &Observed) -> Vec<&str> {
    let older = match newest.status.get("revisions") {
        Some(Value::List(older)) => &older[..],
        _ => &[],
    };
    let older = older.iter().filter_map(Value::text).filter(|id| *id != newest.id);
    std::iter::once(newest.id.as_str()).chain(older).collect()
}

/// A revision as people call it: `7` of `…:task-definition/shop-dev-web:7`.
fn short(id: &str) -> &str {
    id.rsplit(':').next().unwrap_or(id)
}

/// True when people may call it so: `7`, `shop-dev-web:7`, or all of it.
fn is_called(id: &str, name: &str) -> bool {
    id == name || short(id) == name || id.rsplit('/').next() == Some(name)
}

/// What a rollback, or the end of one, is to do: each of the operations in turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    /// The kind whose driver does it.
    pub kind: &'static str,
    /// Where.
    pub region: String,
    /// The operations: the hold comes before the change, so that nobody undoes it in between.
    pub ops: Vec<Op>,
    /// What ran.
    pub from: String,
    /// What runs then.
    pub to: String,
    /// True when the document's own revision is held back from then on.
    pub held: bool,
}

/// Why there is no rollback.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// No such resource.
    #[error("the document has no {0}")]
    Unknown(Address),
    /// It names nothing that has revisions, or could not remember the hold.
    #[error("{0} runs no revision of this document, so that there is nothing to go back to")]
    NoRevisions(Address),
    /// It, or what it runs, cannot be seen.
    #[error("{0} is not there, or cannot be seen: {1}")]
    NotLive(Address, String),
    /// There is none before it.
    #[error("there is no revision before {0}; {1}")]
    NoneBefore(String, String),
    /// There is none of that name.
    #[error("there is no revision `{0}`; {1}")]
    NotKnown(String, String),
    /// That one runs already.
    #[error("{0} runs already")]
    Runs(String),
}

/// What to do so that a resource runs an earlier revision: the one named, or the one before what it runs now.
///
/// # Errors
/// When it has no revisions, is not live, or the revision is not there.
pub fn rollback(
    document: &Document,
    observation: &Observation,
    address: &Address,
    to: Option<&str>,
) -> Result<Rollback, RollbackError> {
    let (resource, field, of) = subject(document, address)?;
    let current = situation(document, observation, &Graph::of(document).order(), &[]);
    let live_of = |address: &Address| {
        let why = || current.holds.get(address).map_or("nothing live is ours", |hold| &hold.message).to_owned();
        current.current.get(address).copied().ok_or_else(|| RollbackError::NotLive(address.clone(), why()))
    };
    let (live, newest) = (live_of(address)?, live_of(&of.address)?);
    let known = revisions(newest);
    let runs = live.spec.get(field).and_then(Value::text).unwrap_or_default();
    let there = match known.iter().map(|id| short(id)).collect::<Vec<_>>()[..] {
        [] => "none is known".to_owned(),
        ref names => format!("these are known: {}", names.join(", ")),
    };
    let target = match to {
        Some(name) => known
            .iter()
            .find(|id| is_called(id, name))
            .ok_or_else(|| RollbackError::NotKnown(name.to_owned(), there))?,
        None => {
            let at = known.iter().position(|id| *id == runs);
            let before = at.and_then(|at| known.get(at + 1));
            before.ok_or_else(|| RollbackError::NoneBefore(runs.to_owned(), there))?
        }
    };
    if *target == runs {
        return Err(RollbackError::Runs(runs.to_owned()));
    }
    // What belongs to somebody else is not put back by us, so that nothing has to hold it.
    let held = !resource.lifecycle.ignore.iter().any(|path| path == field);
    let mark = Mark { digest: digest::of(of), revision: short(target).to_owned() };
    let set = BTreeMap::from([(tag::ROLLBACK.to_owned(), mark.value())]);
    let tag = Op::Tag { live: Box::new(live.clone()), set, remove: [].into() };
    let mut spec = live.spec.map().cloned().unwrap_or_default();
    spec.insert(field.to_owned(), Value::Text((*target).to_owned()));
    let wanted = Wanted {
        address: address.to_string(),
        name: live.name.clone(),
        spec: Value::Map(spec),
        changed: [field.to_owned()].into(),
        ..Wanted::default()
    };
    let update = Op::Update { live: Box::new(live.clone()), wanted };
    Ok(Rollback {
        kind: resource.schema.kind,
        region: live.region.clone(),
        ops: if held { vec![tag, update] } else { vec![update] },
        from: runs.to_owned(),
        to: (*target).to_owned(),
        held,
    })
}

/// What to do so that nothing is held back any more; no operations when nothing is.
///
/// # Errors
/// When it has no revisions or is not live.
pub fn release(document: &Document, observation: &Observation, address: &Address) -> Result<Rollback, RollbackError> {
    let (resource, field, _) = subject(document, address)?;
    let current = situation(document, observation, &Graph::of(document).order(), &[]);
    let missing = || RollbackError::NotLive(address.clone(), "nothing live is ours".to_owned());
    let live = current.current.get(address).copied().ok_or_else(missing)?;
    let runs = live.spec.get(field).and_then(Value::text).unwrap_or_default();
    let remove = [tag::ROLLBACK.to_owned()].into();
    let op = Op::Tag { live: Box::new(live.clone()), set: BTreeMap::new(), remove };
    Ok(Rollback {
        kind: resource.schema.kind,
        region: live.region.clone(),
        ops: if live.tags.contains_key(tag::ROLLBACK) { vec![op] } else { vec![] },
        from: runs.to_owned(),
        to: runs.to_owned(),
        held: false,
    })
}

/// The kinds that have to be looked at for a rollback.
///
/// # Errors
/// When there is nothing to go back to.
pub fn kinds(document: &Document, address: &Address) -> Result<[&'static Schema; 2], RollbackError> {
    let (resource, _, of) = subject(document, address)?;
    Ok([resource.schema, of.schema])
}

fn subject<'d>(
    document: &'d Document,
    address: &Address,
) -> Result<(&'d Resource, &'static str, &'d Resource), RollbackError> {
    let resource = document.resources.get(address).ok_or_else(|| RollbackError::Unknown(address.clone()))?;
    let has_tags = resource.schema.claim.takes_tags() && !resource.is_lookup();
    let (field, of) =
        runs(document, resource).filter(|_| has_tags).ok_or_else(|| RollbackError::NoRevisions(address.clone()))?;
    Ok((resource, field, of))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_has_a_short_name() {
        let id = "arn:aws:ecs:eu-west-1:1:task-definition/shop-dev-web:17";
        assert_eq!(short(id), "17");
        assert!(["17", "shop-dev-web:17", id].iter().all(|name| is_called(id, name)));
        assert!(!["7", "web:17", ""].iter().any(|name| is_called(id, name)));
    }
}
