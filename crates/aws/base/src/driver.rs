//! The adapter that makes a typed [`Kind`] one of the engine's untyped ones.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use holdfast_core::diff::diff;
use holdfast_core::observed::{Observed, Opaque};
use holdfast_core::schema::{Claim, Schema, Spec};
use holdfast_core::value::{self, Value};
use holdfast_engine::cloud::{Done, Failure, Op, Scope, Wanted};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live, Made, Retag};

/// A kind without its type: what the registry holds. It has no more than what needs the type, since each line of it is
/// compiled once for every kind; [`observe`] and [`apply`] are compiled once.
#[async_trait]
pub trait Driver: Send + Sync {
    /// What the engine has to know of the kind.
    fn schema(&self) -> &'static Schema;
    /// [`Kind::observe`].
    async fn observe(&self, aws: &Aws, scope: &Scope) -> Result<Vec<Observed>>;
    /// [`Kind::create`].
    async fn create(&self, aws: &Aws, wanted: &Wanted) -> Result<Done>;
    /// [`Kind::update`]; what is there then, where that is known.
    async fn update(&self, aws: &Aws, live: &Observed, wanted: &Wanted) -> Result<Option<Observed>>;
    /// [`Kind::delete`].
    async fn delete(&self, aws: &Aws, live: &Observed) -> Result<()>;
    /// [`Kind::tag`]; what is there then.
    async fn tag(&self, aws: &Aws, live: &Observed, tags: &Retag) -> Result<Observed>;
}

/// Registers the kinds of a crate: a line for each.
#[macro_export]
macro_rules! kinds {
    ($($kind:ty),* $(,)?) => {
        /// The kinds of this crate.
        pub static KINDS: &[&dyn $crate::driver::Driver] = &[$(&$crate::driver::Of::<$kind>::DRIVER),*];
    };
}

/// Finds what the scope asks for, each once.
pub async fn observe(driver: &dyn Driver, aws: &Aws, scope: &Scope) -> std::result::Result<Vec<Observed>, Failure> {
    let found = driver.observe(aws, scope).await.map_err(|error| error.0)?;
    // A kind may ask twice, by owner and by id, and find the same one both times.
    let found: BTreeMap<String, Observed> = found.into_iter().map(|live| (live.id.clone(), live)).collect();
    Ok(found.into_values().collect())
}

/// Does one thing to one resource.
pub async fn apply(driver: &dyn Driver, aws: &Aws, op: &Op) -> std::result::Result<Done, Failure> {
    run(driver, aws, op).await.map_err(|error| error.0)
}

async fn run(driver: &dyn Driver, aws: &Aws, op: &Op) -> Result<Done> {
    match op {
        Op::Create(wanted) => {
            let mut done = driver.create(aws, wanted).await?;
            // Nothing is replaced for what an answer leaves out: that is looked at.
            let is_whole = |live: &Observed| {
                let differs = diff(driver.schema().record, &wanted.spec, &live.spec, &[]);
                !differs.iter().any(|change| change.immutable)
            };
            done.live = done.live.filter(is_whole);
            Ok(done)
        }
        Op::Update { live, wanted } => {
            let mut told = Some((**live).clone());
            if wanted.changed.iter().any(|field| field != "tags") {
                told = driver.update(aws, live, wanted).await?;
                if matches!(driver.schema().claim, Claim::Mark { .. }) {
                    // The update has written the mark with the rest.
                    return Ok(Done::default());
                }
            }
            let mut set = wanted.tags.clone();
            set.retain(|key, value| live.tags.get(key) != Some(value));
            let tags = Retag { set, remove: wanted.remove_tags.clone() };
            retag(driver, aws, live, told, tags).await
        }
        Op::Delete { live } => match driver.delete(aws, live).await {
            Err(error) if error.is_absent() => Ok(Done::default()),
            result => result.map(|()| Done::default()),
        },
        Op::Tag { live, set, remove } => {
            let tags = Retag { set: set.clone(), remove: remove.clone() };
            retag(driver, aws, live, Some((**live).clone()), tags).await
        }
    }
}

/// Changes the tags, if any are to change. `told`: what is there apart from that, where it is known.
async fn retag(driver: &dyn Driver, aws: &Aws, live: &Observed, told: Option<Observed>, tags: Retag) -> Result<Done> {
    let told = match told {
        told if tags.set.is_empty() && tags.remove.is_empty() => told,
        Some(told) => Some(driver.tag(aws, &told, &tags).await?),
        None => {
            driver.tag(aws, live, &tags).await?;
            None
        }
    };
    Ok(Done { id: None, live: told })
}

/// The adapter from a [`Kind`] to a [`Driver`].
pub struct Of<K>(PhantomData<fn() -> K>);

impl<K: Kind> Of<K> {
    /// The kind's driver.
    pub const DRIVER: Self = Of(PhantomData);

    /// The kind's schema.
    const SCHEMA: &'static Schema = &Schema {
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

    async fn create(&self, aws: &Aws, wanted: &Wanted) -> Result<Done> {
        let Made { id, live } = K::create(aws, &Self::desired(wanted)?).await?;
        let live = live.map(|mut live| {
            if !K::CLAIM.is_own() {
                live.tags.clear();
            }
            // The region is filled in where it is known.
            Self::untyped(live, "")
        });
        Ok(Done { id: Some(id), live })
    }

    async fn update(&self, aws: &Aws, live: &Observed, wanted: &Wanted) -> Result<Option<Observed>> {
        let (there, desired) = (Self::typed(live)?, Self::desired(wanted)?);
        K::update(aws, there, &desired).await?;
        // What AWS keeps of it besides the spec has changed, and only AWS knows how.
        let known = there.raw.is_none();
        Ok(known.then(|| Self::untyped(Live { spec: desired.spec, ..there.clone() }, &live.region)))
    }

    async fn delete(&self, aws: &Aws, live: &Observed) -> Result<()> {
        // An older revision comes as the newest one's view with its own id.
        let live = Live { id: live.id.clone(), ..Self::typed(live)?.clone() };
        K::delete(aws, &live).await
    }

    async fn tag(&self, aws: &Aws, live: &Observed, tags: &Retag) -> Result<Observed> {
        let mut there = Self::typed(live)?.clone();
        K::tag(aws, &there, tags).await?;
        there.tags.extend(tags.set.clone());
        there.tags.retain(|key, _| !tags.remove.contains(key));
        Ok(Self::untyped(there, &live.region))
    }
}
