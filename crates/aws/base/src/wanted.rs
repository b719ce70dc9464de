//! The decision which of the listed resources of a kind an observation wants, and which of their fields.

use std::collections::BTreeMap;
use std::future::Future;

use holdfast_core::diff::diff;
use holdfast_core::schema::{FieldName, HasArn, Record};
use holdfast_core::value::{self, Value};
use holdfast_engine::cloud::Scope;

use crate::error::Result;
use crate::field_tags;
use crate::kind::Kind;
use crate::resource::Live;
use crate::tags::Tags;

/// The part of a resource that a list response has. Every other part may still match.
#[derive(Clone, Debug, Default)]
pub struct Listed<'a> {
    ids: Vec<&'a str>,
    id_prefix: Option<&'a str>,
    name: Option<&'a str>,
    is_name_unknown: bool,
    parents: Vec<(&'static str, &'a str)>,
    tags: Option<&'a Tags>,
    spec: Option<(&'static Record, Value)>,
}

impl<'a> Listed<'a> {
    /// A resource with this id.
    pub fn id(id: &'a str) -> Self {
        Listed { ids: vec![id], ..Listed::default() }
    }

    /// A resource with this physical name, which also identifies it.
    pub fn name(name: &'a str) -> Self {
        Listed { ids: vec![name], name: Some(name), ..Listed::default() }
    }

    /// Adds a further id, such as the ARN.
    pub fn or_id(mut self, id: &'a str) -> Self {
        self.ids.push(id);
        self
    }

    /// Adds the physical name.
    pub fn named(mut self, name: &'a str) -> Self {
        self.name = Some(name);
        self.or_id(name)
    }

    /// Adds the name or id of a parent of this kind. A child of a wanted parent is wanted.
    pub fn child_of(mut self, kind: &'static str, parent: &'a str) -> Self {
        self.parents.push((kind, parent));
        self
    }

    /// Adds the prefix of the ids of several resources: the resources below this one.
    pub fn id_prefix(mut self, prefix: &'a str) -> Self {
        self.id_prefix = Some(prefix);
        self
    }

    /// States that only a further call returns the name, for example because it is a tag. A lookup by name may match.
    pub fn name_unknown(mut self) -> Self {
        self.is_name_unknown = true;
        self
    }

    /// Adds one field, where the list response has no other.
    pub fn field<K: Kind>(mut self, field: FieldName<K>, value: &str) -> Self {
        self.spec = Some((&K::RECORD, Value::Map([(field.name().to_owned(), value.into())].into())));
        self
    }

    /// Adds the tags.
    pub fn tags(mut self, tags: &'a Tags) -> Self {
        self.tags = Some(tags);
        self
    }

    /// Adds the fields that the list response has. A lookup whose fields differ from these does not want the resource.
    /// Fields that tags record are left out.
    pub fn spec<K: Kind>(mut self, spec: &K) -> Self {
        let mut spec = value::of(spec).without_nulls();
        if let Value::Map(fields) = &mut spec {
            fields.retain(|field, _| !field_tags::records(K::FIELD_TAGS, field));
        }
        self.spec = Some((&K::RECORD, spec));
        self
    }
}

/// How much of a listed resource an observation wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Want {
    /// Nothing: no further call is made for the resource.
    Nothing,
    /// Its existence and its tags: it has a name of the document, or was owned before.
    Identity,
    /// Its requested fields: it is owned, or the document names its id, or a lookup may match it.
    Fields,
}

impl Want {
    /// True when the resource is part of the observation.
    pub fn any(self) -> bool {
        self != Want::Nothing
    }

    /// True when the requested fields are part of the observation.
    pub fn fields(self) -> bool {
        self == Want::Fields
    }
}

/// Decides what an observation wants: the one place for all kinds.
pub trait Wants {
    /// Returns how much of a listed resource the observation wants. A kind asks once with what the list response says, and
    /// again when it knows the tags.
    fn wants(&self, listed: &Listed<'_>) -> Want;

    /// True when the scope has a lookup that cannot be decided by name or id, so that owned resources are not enough.
    fn has_lookups(&self) -> bool;
}

impl Wants for Scope {
    fn wants(&self, listed: &Listed<'_>) -> Want {
        let is_below = |id: &String| listed.id_prefix.is_some_and(|prefix| id.starts_with(prefix));
        let by_id = listed.ids.iter().any(|id| self.ids.contains(*id)) || self.ids.iter().any(is_below);
        let by_owner = listed.tags.is_some_and(|tags| self.is_owned(tags));
        let by_parent = listed.parents.iter().any(|(kind, parent)| self.is_parent(kind, parent));
        if by_id || by_owner || by_parent || self.lookups.iter().any(|lookup| may_match(lookup, listed)) {
            return Want::Fields;
        }
        let is_known = || listed.ids.iter().any(|id| self.is_known(&self.kind, id));
        match listed.name.is_some_and(|name| self.is_candidate(name)) || is_known() {
            true => Want::Identity,
            false => Want::Nothing,
        }
    }

    fn has_lookups(&self) -> bool {
        self.lookups.iter().any(|lookup| !lookup.is_empty())
    }
}

/// True when a lookup may match what is known of the resource. A lookup without fields matches by name or id only. Fields
/// that the list response lacks, and references that a lookup has not resolved yet, exclude nothing.
fn may_match(lookup: &Value, listed: &Listed<'_>) -> bool {
    if lookup.is_empty() {
        return listed.is_name_unknown;
    }
    let tags_match = match (lookup.get("tags").and_then(Value::map), listed.tags) {
        (Some(stated), Some(tags)) => {
            stated.iter().all(|(key, value)| value.text().is_none_or(|value| tags.get(key).is_some_and(|t| t == value)))
        }
        _ => true,
    };
    let Some((record, live)) = &listed.spec else { return tags_match };
    let plain = |value: &Value| matches!(value, Value::Bool(_) | Value::Integer(_) | Value::Text(_));
    let stated = lookup.map().into_iter().flatten().filter(|(field, v)| plain(v) && live.get(field).is_some());
    let stated = Value::Map(stated.map(|(field, value)| (field.clone(), value.clone())).collect());
    tags_match && diff(record, &stated, live, &[]).is_empty()
}

/// True when this field of a live resource with these tags is compared. See [`Scope::is_requested_field`].
pub fn is_requested_field<K: Kind>(scope: &Scope, tags: &BTreeMap<String, String>, field: FieldName<K>) -> bool {
    scope.is_requested_field(tags, field.name())
}

/// Observes a listed resource as far as the observation wants it: not at all, its tags, or also its fields.
///
/// `listed` has what the list response says. `tags` reads the tags, and `fields` adds the fields that take further
/// calls. Returns none for a resource that is not wanted or that no longer exists.
pub async fn observe_listed<K, F>(
    scope: &Scope,
    listed: Live<K>,
    tags: impl Future<Output = Result<Option<Tags>>>,
    fields: impl FnOnce(Live<K>) -> F,
) -> Result<Option<Live<K>>>
where
    K: Kind<Status: HasArn>,
    F: Future<Output = Result<Option<Live<K>>>>,
{
    let known = Listed::id(&listed.id).or_id(listed.status.arn()).named(&listed.name).spec(&listed.spec);
    if !scope.wants(&known).any() {
        return Ok(None);
    }
    let Some(tags) = tags.await? else { return Ok(None) };
    let want = scope.wants(&known.tags(&tags));
    match want {
        Want::Nothing => Ok(None),
        Want::Identity => Ok(Some(listed.tags(tags))),
        Want::Fields => fields(listed.tags(tags)).await,
    }
}

/// Observes several resources concurrently. Resources that no longer exist are left out.
pub async fn each<T, L, F>(of: impl IntoIterator<Item = T>, observe: impl FnMut(T) -> F) -> Result<Vec<L>>
where
    F: Future<Output = Result<Option<L>>>,
{
    let observed = futures::future::try_join_all(of.into_iter().map(observe)).await?;
    Ok(observed.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> Scope {
        let mut scope = Scope::default();
        scope.owners.insert(("shop".into(), "prod".into()));
        scope.names.insert("shop-prod-web".into());
        scope.ids.insert("id-1".into());
        scope.parents.insert(("Vpc", "main".into()));
        scope
    }

    #[test]
    fn a_foreign_resource_is_wanted_by_name_only_to_detect_that_the_name_is_in_use() {
        assert_eq!(scope().wants(&Listed::name("other")), Want::Nothing);
        assert_eq!(scope().wants(&Listed::name("shop-prod-web")), Want::Identity);
        assert_eq!(scope().wants(&Listed::id("x").named("shop-prod-web")), Want::Identity);
    }

    #[test]
    fn a_known_resource_is_wanted_by_its_name_and_by_its_id() {
        let names = ["own", "id-of-own"].map(str::to_owned).into();
        let known_names = std::sync::Arc::new(BTreeMap::from([("Topic".to_owned(), names)]));
        let scope = Scope { kind: "Topic".into(), known_names, ..scope() };
        assert_eq!(scope.wants(&Listed::name("own")), Want::Identity);
        assert_eq!(scope.wants(&Listed::id("id-of-own").named("other")), Want::Identity);
        assert_eq!(scope.wants(&Listed::default().child_of("Topic", "own")), Want::Fields);
        assert_eq!(Scope { kind: "Queue".into(), ..scope }.wants(&Listed::name("own")), Want::Nothing);
    }

    #[test]
    fn the_fields_of_owned_named_and_child_resources_are_wanted() {
        let ours = Tags::from([("holdfast:stack".into(), "shop".into()), ("holdfast:env".into(), "prod".into())]);
        assert_eq!(scope().wants(&Listed::name("other").tags(&ours)), Want::Fields);
        assert_eq!(scope().wants(&Listed::id("id-1")), Want::Fields);
        assert_eq!(scope().wants(&Listed::id("arn").or_id("id-1")), Want::Fields);
        assert_eq!(scope().wants(&Listed::id("x").child_of("Vpc", "main")), Want::Fields);
        assert_eq!(scope().wants(&Listed::id("x").child_of("Subnet", "main")), Want::Nothing);
        assert_eq!(scope().wants(&Listed::default().id_prefix("id-")), Want::Fields);
        assert_eq!(scope().wants(&Listed::default().id_prefix("id-2")), Want::Nothing);
    }

    #[test]
    fn a_lookup_excludes_only_what_the_list_response_contradicts() {
        let mut scope = scope();
        scope.lookups.push(json!({}).into());
        assert_eq!(scope.wants(&Listed::name("other")), Want::Nothing, "a lookup by name wants one resource");
        assert_eq!(scope.wants(&Listed::id("x").name_unknown()), Want::Fields, "the name may be that of the lookup");
        assert!(!scope.has_lookups());
        scope.lookups.push(json!({ "tags": { "team": "a" } }).into());
        assert!(scope.has_lookups());
        assert_eq!(scope.wants(&Listed::name("other")), Want::Fields, "the tags are not known yet");
        let tags = |team: &str| Tags::from([("team".to_owned(), team.to_owned())]);
        assert_eq!(scope.wants(&Listed::name("other").tags(&tags("a"))), Want::Fields);
        assert_eq!(scope.wants(&Listed::name("other").tags(&tags("b"))), Want::Nothing);
    }
}
