//! The contract of a kind: what it tells, what it is asked, and in which words.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use holdfast_core::diff::diff;
use holdfast_core::observed::{Phase, Remark};
use holdfast_core::schema::{Claim, CreateClass, Fault, Naming, Replace, Spec, Tier};
use holdfast_core::value::{self, Value};
use holdfast_engine::cloud::{Failure, Scope};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Aws;
use crate::error::{Error, Result};

/// A kind of AWS resource. One file implements it, one line registers it.
///
/// A kind never waits (it reports a phase), never retries, never logs, and never decides what an
/// error code means: the engine, the engine, the driver and `error.rs` do.
pub trait Kind: Spec + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// What only AWS knows: ARNs, endpoints. Never compared; expressions read it.
    type Status: Spec + Clone + Serialize + Send + Sync;

    /// Where it stands in the order of things.
    const TIER: Tier;
    /// How a live one is known to be ours.
    const CLAIM: Claim = Claim::AtCreate;
    /// How it is replaced.
    const REPLACE: Replace = Replace::CreateFirst;
    /// How it may be named.
    const NAMING: Naming;
    /// How a create that may or may not have happened is made sure of.
    const CLASS: CreateClass;
    /// True when deleting one loses data.
    const DATA: bool = false;
    /// True when there is one for all regions.
    const GLOBAL: bool = false;
    /// True when what refers to it can be made as soon as it has been made itself, before it is ready and complete.
    /// `dependsOn` waits all the same, and so does what refers to one that was there before and is to be changed.
    const EARLY: bool = false;
    /// How long a read may lag behind a write. EC2 asks for up to five minutes of patience; seconds are usual.
    const LAG_SECONDS: u32 = 30;
    /// Fields that cannot be observed, and why.
    const UNOBSERVED: &'static [(&'static str, &'static str)] = &[];

    /// Finds combinations of fields that AWS refuses: the path of the field to blame, and a sentence. It runs without
    /// AWS, when a document is rendered; references and templates stand in the spec as they are, so that
    /// [`Value::states`] and comparisons with plain values are what it can ask.
    fn check(_name: &str, _spec: &Value) -> Vec<Fault> {
        vec![]
    }

    /// Finds what the scope asks for: owned ones, named candidates, ids, lookups. Changes nothing.
    fn observe(aws: &Aws, scope: &Scope) -> impl Future<Output = Result<Vec<Live<Self>>>> + Send;

    /// Makes it, with exactly one mutating call, and tells what is there then: as the answer says, or as AWS documents
    /// it for that request. What the call does not take stays out of that, so that `update` adds it. Where neither says
    /// enough, [`Made::unseen`] leaves it to a look.
    fn create(aws: &Aws, desired: &Desired<Self>) -> impl Future<Output = Result<Made<Self>>> + Send;

    /// Changes what differs, tags apart. `desired.spec` holds the live values of what is unmanaged.
    fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> impl Future<Output = Result<()>> + Send;

    /// Deletes it. That it is gone already is a success, and the adapter knows.
    fn delete(aws: &Aws, live: &Live<Self>) -> impl Future<Output = Result<()>> + Send;

    /// Sets and removes tags, or writes the mark anew. Kinds under a parent leave it out.
    fn tag(_aws: &Aws, _live: &Live<Self>, _tags: &Retag) -> impl Future<Output = Result<()>> + Send {
        async { Err(Error::terminal(Self::KIND, "this kind has no tags")) }
    }
}

/// True when this field of a live one with these tags may be compared: [`Scope::asks_for`], which knows no kind.
pub fn asks_for<K: Kind>(scope: &Scope, tags: &BTreeMap<String, String>, field: &str) -> bool {
    debug_assert!(K::RECORD.field(field).is_some(), "{} has no `{field}`", K::KIND);
    scope.asks_for(tags, field)
}

/// True when something is asked for by its id, or by a lookup that it may fit. `spec` is what the list
/// call told; what that leaves out, and what a lookup has yet to resolve, does not count against it.
pub fn is_asked_for<K: Kind>(scope: &Scope, id: &str, name: &str, spec: &K) -> bool {
    let live = value::of(spec).without_nulls();
    let plain = |value: &Value| matches!(value, Value::Bool(_) | Value::Integer(_) | Value::Text(_));
    let fits = |lookup: &Value| {
        let told = lookup.map().into_iter().flatten().filter(|(field, v)| plain(v) && live.get(field).is_some());
        let told = Value::Map(told.map(|(field, value)| (field.clone(), value.clone())).collect());
        // A lookup that states nothing goes by its name.
        !lookup.is_empty() && diff(&K::RECORD, &told, &live, &[]).is_empty()
    };
    scope.ids.contains(id) || scope.ids.contains(name) || scope.lookups.iter().any(fits)
}

/// Looks at all of these at once; those that are gone are left out.
pub async fn each<T, L, F>(of: impl IntoIterator<Item = T>, look: impl FnMut(T) -> F) -> Result<Vec<L>>
where
    F: Future<Output = Result<Option<L>>>,
{
    let looks = futures::future::try_join_all(of.into_iter().map(look)).await?;
    Ok(looks.into_iter().flatten().collect())
}

/// A live resource as its kind sees it.
#[derive(Clone)]
pub struct Live<K: Kind> {
    /// What the kind's calls take, and what `Ref<K>` holds.
    pub id: String,
    /// Its physical name.
    pub name: String,
    /// The live spec.
    pub spec: K,
    /// What only AWS knows.
    pub status: K::Status,
    /// Where it is in its life.
    pub phase: Phase,
    /// All its tags.
    pub tags: BTreeMap<String, String>,
    /// What else people should know of it.
    pub remarks: Vec<Remark>,
    /// Changes that AWS accepted for later: paths.
    pub scheduled: BTreeSet<String>,
    /// True when nothing deletes it but the end of what it refers to.
    pub bound: bool,
    /// The answer that it was read from, for calls that replace the whole: see [`Live::raw`].
    pub raw: Option<Arc<dyn Any + Send + Sync>>,
}

impl<K: Kind> Live<K> {
    /// A ready one, without tags or remarks.
    pub fn new(id: impl Into<String>, name: impl Into<String>, spec: K, status: K::Status) -> Self {
        Live {
            id: id.into(),
            name: name.into(),
            spec,
            status,
            phase: Phase::Ready,
            tags: BTreeMap::new(),
            remarks: vec![],
            scheduled: BTreeSet::new(),
            bound: false,
            raw: None,
        }
    }

    /// The same, with these tags.
    pub fn tags(mut self, tags: BTreeMap<String, String>) -> Self {
        self.tags = tags;
        self
    }

    /// The same, in this phase.
    pub fn phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// The same, with AWS's own view of it: configuration, ETag, lock token. Calls that replace the whole edit that
    /// view, so that what the spec does not know is not erased.
    pub fn keep<T: Any + Send + Sync>(mut self, raw: T) -> Self {
        self.raw = Some(Arc::new(raw));
        self
    }

    /// AWS's own view of it, as [`Live::keep`] got it.
    pub fn raw<T: Any>(&self) -> Result<&T> {
        let raw = self.raw.as_ref().and_then(|raw| raw.downcast_ref());
        raw.ok_or_else(|| Error(Failure::not_yet(K::KIND, "AWS's own view of it is not known; it is looked at first")))
    }

    /// The same, with a change at this path that AWS accepted for later.
    pub fn scheduled(mut self, path: impl Into<String>) -> Self {
        self.scheduled.insert(path.into());
        self
    }

    /// The same, with one more remark.
    pub fn remark(mut self, reason: &str, message: impl Into<String>) -> Self {
        self.remarks.push(Remark { reason: reason.into(), message: message.into() });
        self
    }
}

/// What a create made.
pub struct Made<K: Kind> {
    /// Its id, as [`Live::id`].
    pub id: String,
    /// What is there, as far as that is known.
    pub live: Option<Live<K>>,
}

impl<K: Kind> Made<K> {
    /// Nothing is known of it but its id: it is looked at before anything else is done with it.
    pub fn unseen(id: impl Into<String>) -> Self {
        Made { id: id.into(), live: None }
    }
}

impl<K: Kind> From<Live<K>> for Made<K> {
    fn from(live: Live<K>) -> Self {
        Made { id: live.id.clone(), live: Some(live) }
    }
}

/// What a resource is to be.
#[derive(Clone, Debug)]
pub struct Desired<K> {
    /// Its physical name.
    pub name: String,
    /// The spec.
    pub spec: K,
    /// Which top-level fields differ (update), by their names in the document.
    pub changed: BTreeSet<String>,
    /// All its tags, the owner's included.
    pub tags: BTreeMap<String, String>,
    /// The client token, at most 64 characters of `[0-9a-f]`.
    pub token: String,
}

impl<K: Kind> Desired<K> {
    /// What is there after a create that took all of it, tags included.
    pub fn made(&self, id: impl Into<String>, status: K::Status) -> Live<K> {
        Live::new(id, &self.name, self.spec.clone(), status).tags(self.all_tags())
    }

    /// All tags of what is made, with the one that names it where one does.
    pub fn all_tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        if K::NAMING.tag {
            tags.entry("Name".into()).or_insert_with(|| self.name.clone());
        }
        tags
    }

    /// What is there as the answer to a create tells it, with the tags that were sent; none when it tells too little.
    pub fn told(&self, id: impl Into<String>, live: Option<Live<K>>) -> Made<K> {
        live.map_or_else(|| Made::unseen(id), |live| live.tags(self.all_tags()).into())
    }
}

impl<K> Desired<K> {
    /// True when this field differs, or one below it.
    pub fn changed(&self, field: &str) -> bool {
        self.changed.contains(field)
    }
}

/// What is to become of some tags.
#[derive(Clone, Debug, Default)]
pub struct Retag {
    /// Those to set.
    pub set: BTreeMap<String, String>,
    /// The keys of those to remove.
    pub remove: BTreeSet<String>,
}
