//! The contract between a kind of AWS resource and the engine.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::diff::diff;
use holdfast_core::observed::{Condition, ConditionType, Phase};
use holdfast_core::schema::{Idempotency, NamingRules, Ownership, Replacement, Spec, Tier, ValidationError};
use holdfast_core::value::{self, Value};
use holdfast_engine::cloud::{Failure, Scope};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Aws;
use crate::error::{Error, Result};

/// A kind of AWS resource. One file implements it, one line registers it.
///
/// A kind never waits: it reports a phase, and the engine polls. A kind never retries and never logs: the engine does.
/// A kind never interprets an error code: `error.rs` does.
///
/// # Expected flow
/// 1. `observe` finds the live resources that the scope asks for.
/// 2. `create` makes exactly one mutating call, with the owner tags in it where the API takes them.
/// 3. `update` changes the fields that differ; `tag` changes the tags.
/// 4. `delete` deletes the resource; a resource that no longer exists counts as deleted.
///
/// # Guarantees
/// The engine calls `update`, `tag` and `delete` only for resources that this kind observed or created before.
///
/// # Assumptions
/// `observe` returns every owned resource of the region or fails: an incomplete result would make resources look deleted.
pub trait Kind: Spec + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The attributes that only AWS knows, such as ARNs and endpoints. They are never compared; expressions read them.
    type Status: Spec + Clone + Serialize + Send + Sync;

    /// The tier of the kind.
    const TIER: Tier;
    /// How ownership of a live resource is recorded.
    const OWNERSHIP: Ownership = Ownership::TagOnCreate;
    /// The order of create and destroy in a replacement.
    const REPLACEMENT: Replacement = Replacement::CreateBeforeDestroy;
    /// The rules for physical names.
    const NAMING: NamingRules;
    /// How a repeated create stays idempotent.
    const IDEMPOTENCY: Idempotency;
    /// True when deleting a resource of the kind loses data.
    const STATEFUL: bool = false;
    /// True when the kind is global: it belongs to no region.
    const GLOBAL: bool = false;
    /// True when dependents can be created as soon as the resource exists, before it is ready. `dependsOn` still waits
    /// until it is ready. Dependents of a resource that already existed and is to be changed wait as well.
    const REFERENCEABLE_ON_CREATE: bool = false;
    /// The consistency window: how long a read may lag behind a write (eventual consistency). EC2 asks clients
    /// to allow up to five minutes; a few seconds are usual.
    const CONSISTENCY_WINDOW: Duration = Duration::from_secs(30);
    /// The write-only fields: no API returns them. Each with the reason.
    const WRITE_ONLY: &'static [(&'static str, &'static str)] = &[];

    /// Finds combinations of fields that AWS refuses. Returns the path of the wrong field and a sentence for each.
    ///
    /// The check runs without AWS when a document is rendered. References and templates are unresolved then, so the
    /// check can only use [`Value::states`] and comparisons with plain values.
    fn check(_name: &str, _spec: &Value) -> Vec<ValidationError> {
        vec![]
    }

    /// Observes the resources that the scope asks for: owned resources, named candidates, ids and lookups. Read-only.
    fn observe(aws: &Aws, scope: &Scope) -> impl Future<Output = Result<Vec<Live<Self>>>> + Send;

    /// Creates the resource with exactly one mutating call and returns its live state, from the response or from what
    /// AWS documents for that request. Fields that the call does not take are left out of the live state, so that
    /// `update` adds them. Where the response says too little, [`Created::unobserved`] asks for an observation.
    fn create(aws: &Aws, desired: &Desired<Self>) -> impl Future<Output = Result<Created<Self>>> + Send;

    /// Changes the fields that differ, except tags. `desired.spec` holds the live values of unmanaged fields.
    fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> impl Future<Output = Result<()>> + Send;

    /// Deletes the resource. The adapter turns "does not exist" into success.
    fn delete(aws: &Aws, live: &Live<Self>) -> impl Future<Output = Result<()>> + Send;

    /// Sets and removes tags, or rewrites the owner marker. Kinds that are owned through a parent do not implement it.
    fn tag(_aws: &Aws, _live: &Live<Self>, _tags: &TagChanges) -> impl Future<Output = Result<()>> + Send {
        async { Err(Error::terminal(Self::KIND, "this kind has no tags")) }
    }
}

/// True when this field of a live resource with these tags is compared. See [`Scope::is_requested_field`].
pub fn is_requested_field<K: Kind>(scope: &Scope, tags: &BTreeMap<String, String>, field: &str) -> bool {
    debug_assert!(K::RECORD.field(field).is_some(), "{} has no `{field}`", K::KIND);
    scope.is_requested_field(tags, field)
}

/// True when the scope asks for a resource by its id or name, or by a lookup that may match it.
///
/// `spec` holds the fields that the list call returned. Fields that the list call leaves out, and references that a
/// lookup has not resolved yet, do not exclude the resource.
pub fn is_requested<K: Kind>(scope: &Scope, id: &str, name: &str, spec: &K) -> bool {
    let live = value::of(spec).without_nulls();
    let plain = |value: &Value| matches!(value, Value::Bool(_) | Value::Integer(_) | Value::Text(_));
    let fits = |lookup: &Value| {
        let stated = lookup.map().into_iter().flatten().filter(|(field, v)| plain(v) && live.get(field).is_some());
        let stated = Value::Map(stated.map(|(field, value)| (field.clone(), value.clone())).collect());
        // A lookup without fields matches by name.
        !lookup.is_empty() && diff(&K::RECORD, &stated, &live, &[]).is_empty()
    };
    scope.ids.contains(id) || scope.ids.contains(name) || scope.lookups.iter().any(fits)
}

/// Observes several resources concurrently. Resources that no longer exist are left out.
pub async fn each<T, L, F>(of: impl IntoIterator<Item = T>, observe: impl FnMut(T) -> F) -> Result<Vec<L>>
where
    F: Future<Output = Result<Option<L>>>,
{
    let observed = futures::future::try_join_all(of.into_iter().map(observe)).await?;
    Ok(observed.into_iter().flatten().collect())
}

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
    pub fn changed(&self, field: &str) -> bool {
        self.changed.contains(field)
    }
}

/// Tags to set and to remove.
#[derive(Clone, Debug, Default)]
pub struct TagChanges {
    /// The tags to set.
    pub set: BTreeMap<String, String>,
    /// The keys of the tags to remove.
    pub remove: BTreeSet<String>,
}
