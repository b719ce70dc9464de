//! The contract of a kind, and the adapter that makes a typed kind one of the engine's untyped ones.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use holdfast_core::observed::{Observed, Opaque, Phase, Remark};
use holdfast_core::schema::{Claim, CreateClass, Fault, Naming, Replace, Schema, Spec, Tier};
use holdfast_core::value::{self, Value};
use holdfast_engine::cloud::{Done, Failure, Op, Scope, Wanted};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Aws;
use crate::error::{Error, Result};

/// A kind of AWS resource. One file implements it, one line registers it.
///
/// A kind never waits (it reports a phase), never retries, never logs, and never decides what an
/// error code means: the engine, the engine, the driver and `error.rs` do.
pub(crate) trait Kind: Spec + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
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

    /// Makes it, with exactly one mutating call, and returns its id. What that call does not take,
    /// the next look finds missing and `update` adds.
    fn create(aws: &Aws, desired: &Desired<Self>) -> impl Future<Output = Result<String>> + Send;

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
pub(crate) fn asks_for<K: Kind>(scope: &Scope, tags: &BTreeMap<String, String>, field: &str) -> bool {
    debug_assert!(K::RECORD.field(field).is_some(), "{} has no `{field}`", K::KIND);
    scope.asks_for(tags, field)
}

/// Looks at all of these at once; those that are gone are left out.
pub(crate) async fn each<T, L, F>(of: impl IntoIterator<Item = T>, look: impl FnMut(T) -> F) -> Result<Vec<L>>
where
    F: Future<Output = Result<Option<L>>>,
{
    let looks = futures::future::try_join_all(of.into_iter().map(look)).await?;
    Ok(looks.into_iter().flatten().collect())
}

/// A live resource as its kind sees it.
#[derive(Clone)]
pub(crate) struct Live<K: Kind> {
    /// What the kind's calls take, and what `Ref<K>` holds.
    pub(crate) id: String,
    /// Its physical name.
    pub(crate) name: String,
    /// The live spec.
    pub(crate) spec: K,
    /// What only AWS knows.
    pub(crate) status: K::Status,
    /// Where it is in its life.
    pub(crate) phase: Phase,
    /// All its tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// What else people should know of it.
    pub(crate) remarks: Vec<Remark>,
    /// Changes that AWS accepted for later: paths.
    pub(crate) scheduled: BTreeSet<String>,
    /// True when nothing deletes it but the end of what it refers to.
    pub(crate) bound: bool,
    /// The answer that it was read from, for calls that replace the whole: see [`Live::raw`].
    pub(crate) raw: Option<Arc<dyn Any + Send + Sync>>,
}

impl<K: Kind> Live<K> {
    /// A ready one, without tags or remarks.
    pub(crate) fn new(id: impl Into<String>, name: impl Into<String>, spec: K, status: K::Status) -> Self {
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
    pub(crate) fn tags(mut self, tags: BTreeMap<String, String>) -> Self {
        self.tags = tags;
        self
    }

    /// The same, in this phase.
    pub(crate) fn phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// The same, with AWS's own view of it: configuration, ETag, lock token. Calls that replace the whole edit that
    /// view, so that what the spec does not know is not erased.
    pub(crate) fn keep<T: Any + Send + Sync>(mut self, raw: T) -> Self {
        self.raw = Some(Arc::new(raw));
        self
    }

    /// AWS's own view of it, as [`Live::keep`] got it.
    pub(crate) fn raw<T: Any>(&self) -> Result<&T> {
        let raw = self.raw.as_ref().and_then(|raw| raw.downcast_ref());
        raw.ok_or_else(|| Error::terminal(K::KIND, "its answer was not kept; this is a fault of Holdfast"))
    }

    /// The same, with a change at this path that AWS accepted for later.
    pub(crate) fn scheduled(mut self, path: impl Into<String>) -> Self {
        self.scheduled.insert(path.into());
        self
    }

    /// The same, with one more remark.
    pub(crate) fn remark(mut self, reason: &str, message: impl Into<String>) -> Self {
        self.remarks.push(Remark { reason: reason.into(), message: message.into() });
        self
    }
}

/// What a resource is to be.
#[derive(Clone, Debug)]
pub(crate) struct Desired<K> {
    /// Its physical name.
    pub(crate) name: String,
    /// The spec.
    pub(crate) spec: K,
    /// Which top-level fields differ (update), by their names in the document.
    pub(crate) changed: BTreeSet<String>,
    /// All its tags, the owner's included.
    pub(crate) tags: BTreeMap<String, String>,
    /// The client token, at most 64 characters of `[0-9a-f]`.
    pub(crate) token: String,
}

impl<K> Desired<K> {
    /// True when this field differs, or one below it.
    pub(crate) fn changed(&self, field: &str) -> bool {
        self.changed.contains(field)
    }
}

/// What is to become of some tags.
#[derive(Clone, Debug, Default)]
pub(crate) struct Retag {
    /// Those to set.
    pub(crate) set: BTreeMap<String, String>,
    /// The keys of those to remove.
    pub(crate) remove: BTreeSet<String>,
}

/// A kind without its type: what the registry holds. It has no more than what needs the type, since each line of it is
/// compiled once for every kind; [`observe`] and [`apply`] are compiled once.
#[async_trait]
pub(crate) trait Driver: Send + Sync {
    fn schema(&self) -> &'static Schema;
    async fn observe(&self, aws: &Aws, scope: &Scope) -> Result<Vec<Observed>>;
    async fn create(&self, aws: &Aws, wanted: &Wanted) -> Result<String>;
    async fn update(&self, aws: &Aws, live: &Observed, wanted: &Wanted) -> Result<()>;
    async fn delete(&self, aws: &Aws, live: &Observed) -> Result<()>;
    async fn tag(&self, aws: &Aws, live: &Observed, tags: &Retag) -> Result<()>;
}

/// Finds what the scope asks for, each once.
pub(crate) async fn observe(
    driver: &dyn Driver,
    aws: &Aws,
    scope: &Scope,
) -> std::result::Result<Vec<Observed>, Failure> {
    let found = driver.observe(aws, scope).await.map_err(|error| error.0)?;
    // A kind may ask twice, by owner and by id, and find the same one both times.
    let found: BTreeMap<String, Observed> = found.into_iter().map(|live| (live.id.clone(), live)).collect();
    Ok(found.into_values().collect())
}

/// Does one thing to one resource.
pub(crate) async fn apply(driver: &dyn Driver, aws: &Aws, op: &Op) -> std::result::Result<Done, Failure> {
    run(driver, aws, op).await.map_err(|error| error.0)
}

async fn run(driver: &dyn Driver, aws: &Aws, op: &Op) -> Result<Done> {
    match op {
        Op::Create(wanted) => return Ok(Done { id: Some(driver.create(aws, wanted).await?) }),
        Op::Update { live, wanted } => {
            if wanted.changed.iter().any(|field| field != "tags") {
                driver.update(aws, live, wanted).await?;
                if matches!(driver.schema().claim, Claim::Mark { .. }) {
                    // The update has written the mark with the rest.
                    return Ok(Done::default());
                }
            }
            let mut set = wanted.tags.clone();
            set.retain(|key, value| live.tags.get(key) != Some(value));
            retag(driver, aws, live, Retag { set, remove: wanted.remove_tags.clone() }).await?;
        }
        Op::Delete { live } => match driver.delete(aws, live).await {
            Err(error) if error.is_absent() => {}
            result => result?,
        },
        Op::Tag { live, set, remove } => {
            retag(driver, aws, live, Retag { set: set.clone(), remove: remove.clone() }).await?;
        }
    }
    Ok(Done::default())
}

async fn retag(driver: &dyn Driver, aws: &Aws, live: &Observed, tags: Retag) -> Result<()> {
    match tags.set.is_empty() && tags.remove.is_empty() {
        true => Ok(()),
        false => driver.tag(aws, live, &tags).await,
    }
}

/// The adapter from a [`Kind`] to a [`Driver`].
pub(crate) struct Of<K>(PhantomData<fn() -> K>);

impl<K: Kind> Of<K> {
    pub(crate) const DRIVER: Self = Of(PhantomData);

    /// The kind's schema.
    pub(crate) const SCHEMA: &'static Schema = &Schema {
        kind: K::KIND,
        record: &K::RECORD,
        tier: K::TIER,
        claim: K::CLAIM,
        replace: K::REPLACE,
        naming: K::NAMING,
        class: K::CLASS,
        data: K::DATA,
        global: K::GLOBAL,
        early: K::EARLY,
        lag_seconds: K::LAG_SECONDS,
        unobserved: K::UNOBSERVED,
        status: &<K::Status as Spec>::RECORD,
        check: K::check,
    };

    fn untyped(live: Live<K>, region: &str) -> Observed {
        Observed {
            region: region.to_owned(),
            id: live.id.clone(),
            name: live.name.clone(),
            spec: value::of(&live.spec).without_nulls(),
            status: value::of(&live.status).without_nulls(),
            phase: live.phase,
            remarks: live.remarks.clone(),
            tags: live.tags.clone(),
            scheduled: live.scheduled.clone(),
            bound: live.bound,
            opaque: Opaque(Some(Arc::new(live))),
        }
    }

    fn typed(observed: &Observed) -> Result<&Live<K>> {
        let live = observed.opaque.0.as_ref().and_then(|live| live.downcast_ref::<Live<K>>());
        live.ok_or_else(|| Error::terminal(K::KIND, "changed before it was observed; this is a fault of Holdfast"))
    }

    fn desired(wanted: &Wanted) -> Result<Desired<K>> {
        let spec = serde_json::from_value(spec_json(&wanted.spec)).map_err(|error| misfit(K::KIND, wanted, &error))?;
        Ok(Desired {
            name: wanted.name.clone(),
            spec,
            changed: wanted.changed.clone(),
            tags: wanted.tags.clone(),
            token: wanted.token.clone(),
        })
    }
}

fn misfit(kind: &str, wanted: &Wanted, error: &serde_json::Error) -> Error {
    Error::terminal(kind, format!("{}: the spec does not fit the kind: {error}", wanted.address))
}

/// The spec as the kind's struct reads it: `tags` is the adapter's business.
fn spec_json(spec: &Value) -> serde_json::Value {
    let mut json = spec.json();
    if let Some(map) = json.as_object_mut() {
        map.remove("tags");
    }
    json
}

#[async_trait]
impl<K: Kind> Driver for Of<K> {
    fn schema(&self) -> &'static Schema {
        Self::SCHEMA
    }

    async fn observe(&self, aws: &Aws, scope: &Scope) -> Result<Vec<Observed>> {
        let found = K::observe(aws, scope).await?;
        Ok(found.into_iter().map(|live| Self::untyped(live, &scope.region)).collect())
    }

    async fn create(&self, aws: &Aws, wanted: &Wanted) -> Result<String> {
        K::create(aws, &Self::desired(wanted)?).await
    }

    async fn update(&self, aws: &Aws, live: &Observed, wanted: &Wanted) -> Result<()> {
        K::update(aws, Self::typed(live)?, &Self::desired(wanted)?).await
    }

    async fn delete(&self, aws: &Aws, live: &Observed) -> Result<()> {
        // An older revision comes as the newest one's view with its own id.
        let live = Live { id: live.id.clone(), ..Self::typed(live)?.clone() };
        K::delete(aws, &live).await
    }

    async fn tag(&self, aws: &Aws, live: &Observed, tags: &Retag) -> Result<()> {
        K::tag(aws, Self::typed(live)?, tags).await
    }
}
