//! The users of live resources: the other live resources that refer to them.
//!
//! The references are indexed once, so the cost grows with their number and not with the square of the resources.

use std::collections::{BTreeSet, HashMap};
use std::ptr;

use super::PreparedDocument;
use super::text_references::text_users;
use crate::address::Address;
use crate::document::Document;
use crate::graph::live_references;
use crate::inventory::{Inventory, Orphan};
use crate::observed::Observed;
use crate::schema::Schema;
use crate::value::Value;

/// A live resource to delete.
pub(super) struct Deletion<'a> {
    pub(super) address: Address,
    pub(super) schema: &'static Schema,
    pub(super) observed: &'a Observed,
    /// The addresses whose steps come first, in addition to those that follow from the live specs.
    pub(super) after: BTreeSet<Address>,
}

/// A live resource that may refer to others.
#[derive(Clone, Copy, Debug)]
pub(super) struct User<'a> {
    pub(super) address: &'a Address,
    pub(super) schema: &'static Schema,
    pub(super) observed: &'a Observed,
}

/// Live resources, indexed by the kinds and identities that their specs refer to.
#[derive(Debug, Default)]
pub(super) struct LiveUsers<'a> {
    pub(super) users: Vec<User<'a>>,
    by_reference: HashMap<(&'static str, &'a str), Vec<usize>>,
    /// The active resource of each address.
    active: HashMap<&'a Address, usize>,
}

/// The users of a resource to delete, as indexes of [`LiveUsers`].
pub(super) struct UsersOf {
    /// The resources whose live specs refer to it.
    pub(super) referring: BTreeSet<usize>,
    /// The resources whose `dependsOn` names it.
    pub(super) depending: BTreeSet<usize>,
    /// The resources that name it in other ways: in a text of their live specs, or in an expression of the document. AWS
    /// does not check these references, so they keep the resource, but give way in the order of deletions.
    pub(super) naming: BTreeSet<usize>,
}

impl UsersOf {
    /// Returns all users, without repetitions.
    pub(super) fn all(&self) -> BTreeSet<usize> {
        self.referring.iter().chain(&self.depending).chain(&self.naming).copied().collect()
    }
}

impl<'a> LiveUsers<'a> {
    /// Indexes all live resources: those of the document, their newer and older generations, copies, and orphans.
    pub(super) fn new(document: &Document, inventory: &'a Inventory<'a>) -> Self {
        let schema = |address: &Address| document.resources.get(address).map(|resource| resource.schema);
        let mut live = LiveUsers::default();
        for (address, observed) in &inventory.active {
            if let Some(schema) = schema(address) {
                live.active.insert(address, live.users.len());
                live.add(address, schema, observed);
            }
        }
        let replacements = inventory.replacement.iter().map(|(address, observed)| (address, *observed));
        let superseded = inventory.superseded.iter();
        let superseded = superseded.flat_map(|(address, older)| older.iter().map(move |observed| (address, *observed)));
        let contested = inventory.contested.iter();
        let contested = contested.flat_map(|(address, copies)| copies.iter().map(move |observed| (address, *observed)));
        for (address, observed) in replacements.chain(superseded).chain(contested) {
            if let Some(schema) = schema(address) {
                live.add(address, schema, observed);
            }
        }
        live.add_orphans(&inventory.orphans);
        live
    }

    /// Indexes live resources that are known by their tags alone.
    pub(super) fn of_orphans(orphans: &'a [Orphan<'a>]) -> Self {
        let mut live = LiveUsers::default();
        live.add_orphans(orphans);
        live
    }

    fn add(&mut self, address: &'a Address, schema: &'static Schema, observed: &'a Observed) {
        let at = self.users.len();
        self.users.push(User { address, schema, observed });
        for reference in live_references(schema.record, &observed.spec) {
            let users = self.by_reference.entry(reference).or_default();
            if users.last() != Some(&at) {
                users.push(at);
            }
        }
    }

    fn add_orphans(&mut self, orphans: &'a [Orphan<'a>]) {
        orphans.iter().for_each(|orphan| self.add(&orphan.address, orphan.schema, orphan.observed));
    }

    /// Returns the resources whose live specs refer to an identity.
    pub(super) fn referring(&self, kind: &'static str, identity: &str) -> Vec<User<'a>> {
        self.by_reference.get(&(kind, identity)).into_iter().flatten().map(|at| self.users[*at]).collect()
    }

    /// Returns the resources whose live specs refer to a resource to delete.
    pub(super) fn referring_to(&self, one: &Deletion<'_>) -> BTreeSet<usize> {
        let identities = ["id", "arn", "name"].map(|attribute| one.observed.attribute(attribute));
        let identities = identities.iter().flatten().filter_map(Value::text);
        let users = identities.filter_map(|identity| self.by_reference.get(&(one.schema.kind, identity))).flatten();
        users.copied().filter(|at| can_reach(self.users[*at], one)).collect()
    }

    /// Returns the users of each resource to delete.
    ///
    /// The references of the document apply to the active resources of both addresses, and not to older generations or
    /// resources in other regions.
    pub(super) fn of(&self, prepared: &PreparedDocument<'_>, deletions: &[Deletion<'_>]) -> Vec<UsersOf> {
        let observed: Vec<&Observed> = deletions.iter().map(|one| one.observed).collect();
        let live: Vec<&Observed> = self.users.iter().map(|user| user.observed).collect();
        let users = deletions.iter().zip(text_users(&observed, &live)).map(|(one, mut naming)| {
            let active = self.active.get(&one.address).map(|at| self.users[*at].observed);
            let is_active = active.is_some_and(|active| ptr::eq(active, one.observed));
            let mut depending = BTreeSet::new();
            for dependent in prepared.dependents(&one.address).iter().filter(|_| is_active) {
                let Some(at) = self.active.get(&dependent.address) else { continue };
                match dependent.depends_on.contains(&one.address) {
                    true => depending.insert(*at),
                    false => naming.insert(*at),
                };
            }
            UsersOf { referring: self.referring_to(one), depending, naming }
        });
        users.collect()
    }
}

/// True when a live resource and a resource to delete are different resources, and a reference between them means these
/// two: an id is unique in its region only.
fn can_reach(user: User<'_>, one: &Deletion<'_>) -> bool {
    let is_near = one.schema.global || user.schema.global || user.observed.region == one.observed.region;
    is_near && !ptr::eq(user.observed, one.observed)
}
