//! A resource of a kind, typed: as it is, as it was created, and as it should be.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_core::observed::{Condition, ConditionType, Phase};
use holdfast_core::schema::FieldName;
use holdfast_engine::cloud::Failure;

use crate::error::{Error, Result};
use crate::kind::Kind;

/// A live resource, typed by its kind.
#[derive(Clone)]
pub struct Live<K: Kind> {
    /// The identifier that the kind's API calls take and that `Ref<K>` holds.
    pub id: String,
    /// Its physical name.
    pub name: String,
    /// The live spec.
    pub spec: K,
    /// The attributes that only AWS knows.
    pub status: K::Status,
    /// The lifecycle phase.
    pub phase: Phase,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
    /// The conditions that people should know about.
    pub conditions: Vec<Condition>,
    /// The paths of changes that AWS accepted for its maintenance window.
    pub scheduled: BTreeSet<String>,
    /// True when the resource cannot be deleted by itself: AWS deletes it with the resource that it refers to.
    pub bound: bool,
    /// The SDK response that the spec was read from, for calls that replace a whole configuration. See [`Live::raw`].
    pub raw: Option<Arc<dyn Any + Send + Sync>>,
}

impl<K: Kind> Live<K> {
    /// A ready resource without tags or conditions.
    pub fn new(id: impl Into<String>, name: impl Into<String>, spec: K, status: K::Status) -> Self {
        Live {
            id: id.into(),
            name: name.into(),
            spec,
            status,
            phase: Phase::Ready,
            tags: BTreeMap::new(),
            conditions: vec![],
            scheduled: BTreeSet::new(),
            bound: false,
            raw: None,
        }
    }

    /// Sets the tags.
    pub fn tags(mut self, tags: BTreeMap<String, String>) -> Self {
        self.tags = tags;
        self
    }

    /// Sets the phase.
    pub fn phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// Keeps the SDK response: the configuration, ETag or lock token. Calls that replace a whole configuration edit the
    /// response, so that settings that the spec does not have are not erased.
    pub fn keep<T: Any + Send + Sync>(mut self, raw: T) -> Self {
        self.raw = Some(Arc::new(raw));
        self
    }

    /// The SDK response that [`Live::keep`] stored.
    ///
    /// # Errors
    /// [`FailureClass::NotYet`](holdfast_engine::cloud::FailureClass) when the resource has to be observed first.
    pub fn raw<T: Any>(&self) -> Result<&T> {
        let raw = self.raw.as_ref().and_then(|raw| raw.downcast_ref());
        raw.ok_or_else(|| {
            Error(Failure::not_yet(K::KIND, "the live configuration is not known yet; it is observed first"))
        })
    }

    /// Records a change at this path that AWS accepted for its maintenance window.
    pub fn scheduled(mut self, path: impl Into<String>) -> Self {
        self.scheduled.insert(path.into());
        self
    }

    /// Adds a condition: the resource does not work as declared.
    pub fn degraded(self, reason: &str, message: impl Into<String>) -> Self {
        self.condition(ConditionType::Degraded, reason, message)
    }

    /// Adds a condition: AWS is still carrying out a change.
    pub fn progressing(self, reason: &str, message: impl Into<String>) -> Self {
        self.condition(ConditionType::Progressing, reason, message)
    }

    /// Adds a condition: a person has to act outside Holdfast before the resource works as declared.
    pub fn action_required(self, reason: &str, message: impl Into<String>) -> Self {
        self.condition(ConditionType::ActionRequired, reason, message)
    }

    fn condition(mut self, ty: ConditionType, reason: &str, message: impl Into<String>) -> Self {
        self.conditions.push(Condition { ty, reason: reason.into(), message: message.into() });
        self
    }
}

/// The knowledge of the live state after an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// The resource is as desired: its live state follows from the request.
    Known,
    /// Only an observation shows the live state: the SDK response that the live resource keeps (an ETag, a lock token) is
    /// out of date, or the request does not determine the state.
    ObserveAgain,
    /// AWS accepts the rest only after the changes so far took effect. The engine observes and updates again. The text
    /// says what follows.
    Unfinished(&'static str),
}

/// The result of a create.
pub struct Created<K: Kind> {
    /// The id, as in [`Live::id`].
    pub id: String,
    /// The live state, where the response says enough.
    pub live: Option<Live<K>>,
}

impl<K: Kind> Created<K> {
    /// Only the id is known: the resource is observed before the next step on it.
    pub fn unobserved(id: impl Into<String>) -> Self {
        Created { id: id.into(), live: None }
    }
}

impl<K: Kind> From<Live<K>> for Created<K> {
    fn from(live: Live<K>) -> Self {
        Created { id: live.id.clone(), live: Some(live) }
    }
}

/// The desired state of a resource, typed by its kind.
#[derive(Clone, Debug)]
pub struct Desired<K> {
    /// Its physical name.
    pub name: String,
    /// The spec.
    pub spec: K,
    /// The top-level fields that differ (update only), by their names in the document.
    pub changed: BTreeSet<String>,
    /// The top-level fields that the document sets. The spec of an update has the live values of the others.
    pub stated: BTreeSet<String>,
    /// All tags, the owner tags included.
    pub tags: BTreeMap<String, String>,
    /// The client token, at most 64 characters of `[0-9a-f]`.
    pub token: String,
}

impl<K: Kind> Desired<K> {
    /// The live state after a create that took the whole spec, tags included.
    pub fn as_live(&self, id: impl Into<String>, status: K::Status) -> Live<K> {
        Live::new(id, &self.name, self.spec.clone(), status).tags(self.all_tags())
    }

    /// All tags of the create, with the `Name` tag for kinds that are named by it.
    pub fn all_tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        if K::NAMING.tag {
            tags.entry("Name".into()).or_insert_with(|| self.name.clone());
        }
        tags
    }

    /// The result of a create from its response, with the tags that were sent. Without a live state, the resource is observed.
    pub fn confirmed(&self, id: impl Into<String>, live: Option<Live<K>>) -> Created<K> {
        live.map_or_else(|| Created::unobserved(id), |live| live.tags(self.all_tags()).into())
    }
}

impl<K> Desired<K> {
    /// True when this field or a field below it differs.
    pub fn changed(&self, field: FieldName<K>) -> bool {
        self.changed.contains(field.name())
    }

    /// True when the document sets this field.
    pub fn stated(&self, field: FieldName<K>) -> bool {
        self.stated.contains(field.name())
    }

    /// Returns the value of this field for a call that changes only the fields that differ.
    pub fn if_changed<T>(&self, field: FieldName<K>, value: Option<T>) -> Option<T> {
        value.filter(|_| self.changed(field))
    }

    /// True when one of these fields differs.
    pub fn changed_any(&self, fields: &[FieldName<K>]) -> bool {
        fields.iter().any(|field| self.changed(*field))
    }

    /// True when a field other than these and the tags differs.
    pub fn changed_besides(&self, fields: &[FieldName<K>]) -> bool {
        let is_other = |name: &String| name != "tags" && fields.iter().all(|field| field.name() != name);
        self.changed.iter().any(is_other)
    }
}
