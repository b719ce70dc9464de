//! The pin of a rollback: the earlier revision that a resource runs, and the tag that records it.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::document::{Document, Resource};
use crate::observed::{Observed, tag};
use crate::plan::PreparedDocument;
use crate::schema::Replacement;
use crate::value::{Reference, Value};

/// The content of the rollback tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RollbackTag {
    /// The digest of the desired spec whose revision is held.
    pub(super) digest: String,
    /// The short name of the revision that runs instead.
    pub(super) revision: String,
}

impl RollbackTag {
    fn read(live: &Observed) -> Option<RollbackTag> {
        let (digest, revision) = live.tags.get(tag::ROLLBACK)?.split_once('.')?;
        Some(RollbackTag { digest: digest.to_owned(), revision: revision.to_owned() })
    }

    /// Returns the value of the tag.
    pub(super) fn value(&self) -> String {
        format!("{}.{}", self.digest, self.revision)
    }
}

/// The revision of a rollback, at which a resource is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pin {
    /// The field that names the revision.
    pub(crate) field: &'static str,
    /// The revision; the live one when the revision no longer exists.
    pub(crate) to: Value,
    /// The short name of the revision.
    pub(crate) revision: String,
    /// The resource that has the revisions.
    pub(crate) of: Address,
}

/// Returns the revision at which a live resource is kept: the one in its tag, as long as the document has the same
/// desired spec for the resource with the revisions as at the time of the rollback.
pub(crate) fn pin(
    prepared: &PreparedDocument<'_>,
    resource: &Resource,
    live: &Observed,
    active: &BTreeMap<Address, &Observed>,
) -> Option<Pin> {
    let rollback_tag = RollbackTag::read(live)?;
    let (field, of) = revision_reference(prepared.document, resource)?;
    if prepared.digest(of) != rollback_tag.digest || resource.lifecycle.ignore.iter().any(|path| path == field) {
        return None;
    }
    let known = active.get(&of.address).map(|revision| revisions(revision)).unwrap_or_default();
    let to = known.into_iter().find(|id| is_called(id, &rollback_tag.revision)).map(|id| Value::Text(id.to_owned()));
    let to = to.or_else(|| live.spec.get(field).cloned())?;
    Some(Pin { field, to, revision: rollback_tag.revision, of: of.address.clone() })
}

/// Returns the field of a resource that refers to a resource with revisions, and that resource.
pub(super) fn revision_reference<'d>(
    document: &'d Document,
    resource: &Resource,
) -> Option<(&'static str, &'d Resource)> {
    resource.schema.record.fields.iter().find_map(|field| {
        let Some(Value::Reference(Reference { address, .. })) = resource.spec.get(field.name) else { return None };
        let of = document.resources.get(address)?;
        matches!(of.schema.replacement, Replacement::Revision { .. }).then_some((field.name, of))
    })
}

/// Returns all known revisions, the newest first.
pub(super) fn revisions(newest: &Observed) -> Vec<&str> {
    let older = match newest.status.get("revisions") {
        Some(Value::List(older)) => &older[..],
        _ => &[],
    };
    let older = older.iter().filter_map(Value::text).filter(|id| *id != newest.id);
    std::iter::once(newest.id.as_str()).chain(older).collect()
}

/// Returns the short name of a revision: `7` of `…:task-definition/shop-dev-web:7`.
pub(super) fn short(id: &str) -> &str {
    id.rsplit(':').next().unwrap_or(id)
}

/// True when a revision has this name: `7`, `shop-dev-web:7`, or the whole id.
pub(super) fn is_called(id: &str, name: &str) -> bool {
    id == name || short(id) == name || id.rsplit('/').next() == Some(name)
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
