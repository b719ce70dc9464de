//! The scope of an observation: the resources of one kind in one region that it should find.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_core::diff::normal;
use holdfast_core::document::{Document, Lookup, Resource};
use holdfast_core::graph::can_refer;
use holdfast_core::observed::{KindRegion, tag};
use holdfast_core::schema::{Schema, Type};
use holdfast_core::value::Value;

/// The names and ids of owned resources, by kind. See [`Scope::known_names`].
pub type KnownNames = Arc<BTreeMap<String, BTreeSet<String>>>;

/// The scope of an observation of one kind in one region: the resources that it should find, and no more.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scope {
    /// The kind.
    pub kind: String,
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
    /// The names and ids of owned resources whose names do not follow from the document: they left it, or the document
    /// gives them another name now. A list response that has neither tags nor an owner shows them only by these names.
    pub known_names: KnownNames,
    /// The prefixes of generated names: a hint at resources that left the document.
    pub prefixes: BTreeSet<String>,
    /// The ids of resources that are not owned: they are looked up or to be adopted.
    pub ids: BTreeSet<String>,
    /// The partial specs of resources that are looked up by their fields.
    pub lookups: Vec<Value>,
    /// The top-level fields that the document states of each resource, by address, and the keys of those that are maps,
    /// as in `parameters.work_mem`. A field that the document does not
    /// state need not be read if that takes a call of its own. `None` when every field may matter: see
    /// [`Scope::is_requested_field`].
    pub fields: Option<BTreeMap<String, BTreeSet<String>>>,
    /// The resources that this pass created there, which need not be read again.
    pub confirmed: Confirmed,
    /// True when tags may be read from an index that lags behind (the Resource Groups Tagging API): in the initial
    /// refresh of a pass.
    pub from_index: bool,
    /// True when the refresh is a full scan, which searches for every orphan.
    pub full_scan: bool,
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
    /// True when a resource of that name may be in scope: the document names it, it has a generated name, or it is
    /// known to be owned.
    pub fn is_candidate(&self, name: &str) -> bool {
        self.names.contains(name)
            || self.prefixes.iter().any(|p| name.starts_with(p.as_str()))
            || self.is_known(&self.kind, name)
    }

    /// True when a resource of this kind with this name or id is known to be owned.
    pub fn is_known(&self, kind: &str, identity: &str) -> bool {
        self.known_names.get(kind).is_some_and(|names| names.contains(identity))
    }

    /// True when the children of a parent of this kind and this name or id may be in scope.
    pub fn is_parent(&self, kind: &str, identity: &str) -> bool {
        self.parents.iter().any(|(of, parent)| *of == kind && (parent.is_empty() || parent == identity))
            || self.prefixes.iter().any(|p| identity.starts_with(p.as_str()))
            || self.is_known(kind, identity)
    }

    /// True when this field of the resource with these tags may be compared. No field of a resource that left the
    /// document is compared: the resource is only deleted.
    pub fn is_requested_field(&self, tags: &BTreeMap<String, String>, field: &str) -> bool {
        let stated = |fields: &BTreeMap<String, BTreeSet<String>>| {
            let of = tags.get(tag::ADDRESS).and_then(|address| fields.get(address));
            of.is_some_and(|fields| fields.contains(field))
        };
        self.fields.as_ref().is_none_or(stated)
    }

    /// Returns the keys that the document states of a map field of the resource with these tags.
    pub fn requested_keys<'a>(
        &'a self,
        tags: &BTreeMap<String, String>,
        field: &'a str,
    ) -> impl Iterator<Item = &'a str> {
        let stated = self.fields.as_ref().zip(tags.get(tag::ADDRESS)).and_then(|(fields, at)| fields.get(at));
        let paths = stated.into_iter().flatten();
        paths.filter_map(move |path| path.strip_prefix(field)?.strip_prefix('.'))
    }

    /// True when these tags name an owner in scope.
    pub fn is_owned(&self, tags: &BTreeMap<String, String>) -> bool {
        match (tags.get(tag::STACK), tags.get(tag::ENV)) {
            (Some(stack), Some(env)) => self.owners.contains(&(stack.clone(), env.clone())),
            _ => false,
        }
    }
}

/// A refresh: observations that begin together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refresh {
    /// The number of the refresh: a call whose response several kinds need is made once in a refresh.
    pub(crate) number: u64,
    /// True for the initial refresh of a pass, which may read tags from an index that lags behind.
    pub(crate) from_index: bool,
    /// True for a full scan, which searches for every orphan.
    pub(crate) full_scan: bool,
    /// The names and ids of owned resources whose names do not follow from the document.
    pub(crate) known_names: KnownNames,
}

/// Returns the scope of an observation of one kind in one region: what the document says about the resources there.
pub(crate) fn scope(
    document: &Document,
    account: &str,
    kind_region: &KindRegion,
    schema: Option<&'static Schema>,
    refresh: Refresh,
    confirmed: Confirmed,
) -> Scope {
    let is_of = |r: &&Resource| r.schema.kind == kind_region.kind && r.region == kind_region.region;
    let resources: Vec<&Resource> = document.resources.values().filter(is_of).collect();
    let kind_prefix = schema.map(|schema| schema.naming.prefix).unwrap_or_default();
    let own = (document.stack.clone(), document.env.clone());
    let others = document.resources.values().filter_map(|r| match &r.lifecycle.lookup {
        Some(Lookup::Owner { stack, env, .. }) => Some((stack.clone(), env.clone())),
        _ => None,
    });
    let mut scope = Scope {
        kind: kind_region.kind.to_owned(),
        account: account.to_owned(),
        region: kind_region.region.clone(),
        owners: BTreeSet::from([own.clone()]),
        all_owners: others.chain([own]).collect(),
        prefixes: BTreeSet::from([
            format!("{}-{}-", document.stack, document.env),
            format!("{kind_prefix}{}-{}-", document.stack, document.env),
        ]),
        refresh: refresh.number,
        from_index: refresh.from_index,
        full_scan: refresh.full_scan,
        known_names: refresh.known_names,
        confirmed,
        ..Scope::default()
    };
    if resources.iter().all(|r| r.lifecycle.lookup.is_none() && r.lifecycle.adopt.is_none()) {
        scope.fields = Some(stated_fields(&resources));
    }
    if resources.is_empty() {
        // No resource of the kind is left in the document: orphans may be children of any resource that the kind can
        // refer to.
        let can_be_parent =
            |parent: &&Resource| schema.is_some_and(|schema| can_refer(schema.record, parent.schema.kind));
        scope.parents.extend(document.resources.values().filter(can_be_parent).map(parent));
    }
    for resource in resources {
        let literal_parents = resource.schema.record.fields.iter().filter_map(|field| match field.ty {
            Type::Reference { kind, .. } => Some((kind, resource.spec.get(field.name)?.text()?.to_owned())),
            _ => None,
        });
        scope.parents.extend(literal_parents);
        let parents = resource.references();
        scope.parents.extend(parents.keys().filter_map(|address| document.resources.get(address)).map(parent));
        match &resource.lifecycle.lookup {
            None => {
                scope.names.insert(resource.name.clone());
                scope.names.extend(identity(resource));
            }
            Some(Lookup::Id(id)) => {
                scope.ids.insert(id.clone());
            }
            Some(Lookup::Owner { stack, env, .. }) => {
                scope.owners.insert((stack.clone(), env.clone()));
                scope.prefixes.insert(format!("{kind_prefix}{stack}-{env}-"));
            }
            Some(Lookup::Fields) => {
                if resource.named {
                    scope.names.insert(resource.name.clone());
                    // The fields of this one resource are read, whoever owns it.
                    scope.ids.insert(resource.name.clone());
                }
                scope.lookups.push(resource.spec.clone());
            }
        }
        if let Some(adopt) = &resource.lifecycle.adopt {
            scope.ids.insert(adopt.clone());
            scope.names.insert(adopt.clone());
        }
    }
    scope
}

/// Returns the top-level fields that each resource states, and the keys of its maps, by address. A moved resource also has its old address, which
/// its tags may still name.
fn stated_fields(resources: &[&Resource]) -> BTreeMap<String, BTreeSet<String>> {
    let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for resource in resources {
        for address in [Some(&resource.address), resource.lifecycle.moved_from.as_ref()].into_iter().flatten() {
            let fields = fields.entry(address.to_string()).or_default();
            for (field, value) in resource.spec.map().into_iter().flatten() {
                fields.insert(field.clone());
                let is_map = resource.schema.record.field(field).is_some_and(|f| matches!(f.ty, Type::Map(_)));
                let keys = value.map().filter(|_| is_map).into_iter().flatten();
                fields.extend(keys.map(|(key, _)| format!("{field}.{key}")));
            }
        }
    }
    fields
}

/// Returns the kind and the name or id of a resource, by which its children are found.
fn parent(parent: &Resource) -> (&'static str, String) {
    let identity = match &parent.lifecycle.lookup {
        None | Some(Lookup::Fields) => parent.name.clone(),
        Some(Lookup::Id(id)) => id.clone(),
        // The other stack may state an explicit name, so the generated name is not enough.
        Some(Lookup::Owner { .. }) => String::new(),
    };
    (parent.schema.kind, identity)
}

/// Returns the identity of a resource whose identity consists of several fields, or `None` while a field is not known.
fn identity(resource: &Resource) -> Option<String> {
    let record = resource.schema.record;
    let fields = resource.schema.ownership.identity().iter().filter_map(|name| record.field(name));
    let own = fields.filter(|field| !matches!(field.ty, Type::Reference { .. }));
    let stated = own.filter_map(|field| Some(normal(&field.ty, resource.spec.get(field.name)?)));
    let stated = stated.filter(|value| *value != Value::Null);
    let texts: Vec<String> = stated.map(|value| value.text().map(str::to_owned)).collect::<Option<_>>()?;
    (!texts.is_empty()).then(|| texts.join("_"))
}
