//! The adapter from a typed [`Kind`] to the untyped drivers of the engine.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use holdfast_core::diff::diff;
use holdfast_core::observed::{Observed, Opaque};
use holdfast_core::schema::{Ownership, Schema, Spec};
use holdfast_core::value::{self, Value};
use holdfast_engine::cloud::{DesiredResource, Failure, Mutation, OperationResult, Scope};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::field_tags::{self, FieldTag};
use crate::indexed_names;
use crate::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use crate::owner::OwnerRecord;

/// A kind without its type, as the registry holds it.
///
/// The trait has only methods that need the type, because each of them is compiled once for every kind. [`observe`] and
/// [`apply`] are compiled once.
#[async_trait]
pub trait Driver: Send + Sync {
    /// The schema of the kind.
    fn schema(&self) -> &'static Schema;
    /// [`Kind::observe`].
    async fn observe(&self, aws: &Aws, scope: &Scope) -> Result<Vec<Observed>>;
    /// [`Kind::create`].
    async fn create(&self, aws: &Aws, desired: &DesiredResource) -> Result<OperationResult>;
    /// [`Kind::update`]. Returns the new live state where it is known.
    async fn update(&self, aws: &Aws, live: &Observed, desired: &DesiredResource) -> Result<Option<Observed>>;
    /// [`Kind::TAGS_ARE_LISTED`].
    fn tags_are_listed(&self) -> bool;
    /// [`Kind::FIELD_TAGS`].
    fn field_tags(&self) -> &'static [FieldTag];
    /// [`Kind::delete`].
    async fn delete(&self, aws: &Aws, live: &Observed) -> Result<()>;
    /// [`OwnerRecord::write`]. Returns the new live state.
    async fn tag(&self, aws: &Aws, live: &Observed, tags: &TagChanges) -> Result<Observed>;
}

/// Registers the kinds of a crate, one line each.
#[macro_export]
macro_rules! kinds {
    ($($kind:ty),* $(,)?) => {
        /// The kinds of this crate.
        pub static KINDS: &[&dyn $crate::driver::Driver] = &[$(&$crate::driver::Of::<$kind>::DRIVER),*];
    };
}

/// Observes the resources that the scope asks for, without duplicates.
pub async fn observe(driver: &dyn Driver, aws: &Aws, scope: &Scope) -> std::result::Result<Vec<Observed>, Failure> {
    let names =
        indexed_names::of(driver.schema(), driver.tags_are_listed(), aws, scope).await.map_err(|error| error.0)?;
    let scope = &indexed_names::add(scope, names);
    let found = driver.observe(aws, scope).await.map_err(|error| error.0)?;
    // A kind may ask twice, by owner and by id, and find the same resource both times.
    let found: BTreeMap<String, Observed> = found.into_iter().map(|live| (live.id.clone(), live)).collect();
    Ok(found.into_values().collect())
}

/// Carries out one mutation of one resource.
///
/// # Errors
/// The failure of the call, with its class. A delete of a resource that does not exist is not an error.
pub async fn apply(
    driver: &dyn Driver,
    aws: &Aws,
    mutation: &Mutation,
) -> std::result::Result<OperationResult, Failure> {
    run(driver, aws, mutation).await.map_err(|error| error.0)
}

async fn run(driver: &dyn Driver, aws: &Aws, mutation: &Mutation) -> Result<OperationResult> {
    match mutation {
        Mutation::Create(desired) => {
            let mut result = driver.create(aws, desired).await?;
            // A response that lacks an immutable field must not lead to a replacement: the resource is observed instead.
            let is_whole = |live: &Observed| {
                let differs = diff(driver.schema().record, &desired.spec, &live.spec, &[]);
                !differs.iter().any(|change| change.immutable)
            };
            result.live = result.live.filter(is_whole);
            Ok(result)
        }
        Mutation::Update { live, desired } => {
            let mut confirmed = Some((**live).clone());
            let fields = driver.field_tags();
            if desired.changed.iter().any(|field| field != "tags" && field_tags::is_sent(fields, field)) {
                confirmed = driver.update(aws, live, desired).await?;
                if matches!(driver.schema().ownership, Ownership::EmbeddedMarker { .. }) {
                    // The update wrote the owner marker together with the text.
                    return Ok(OperationResult::default());
                }
            }
            let mut set = desired.tags.clone();
            set.retain(|key, value| live.tags.get(key) != Some(value));
            let mut tags = TagChanges { set, remove: desired.remove_tags.clone() };
            field_tags::change(fields, |field| desired.changed.contains(field), &desired.spec, &mut tags);
            change_tags(driver, aws, live, confirmed, tags).await
        }
        Mutation::Delete { live } => match driver.delete(aws, live).await {
            Err(error) if error.is_absent() => Ok(OperationResult::default()),
            result => result.map(|()| OperationResult::default()),
        },
        Mutation::Tag { live, set, remove } => {
            let tags = TagChanges { set: set.clone(), remove: remove.clone() };
            change_tags(driver, aws, live, Some((**live).clone()), tags).await
        }
    }
}

/// Changes the tags that differ. `confirmed` is the live state apart from the tags, where it is known.
async fn change_tags(
    driver: &dyn Driver,
    aws: &Aws,
    live: &Observed,
    confirmed: Option<Observed>,
    tags: TagChanges,
) -> Result<OperationResult> {
    let confirmed = match confirmed {
        confirmed if tags.set.is_empty() && tags.remove.is_empty() => confirmed,
        Some(confirmed) => Some(driver.tag(aws, &confirmed, &tags).await?),
        None => {
            driver.tag(aws, live, &tags).await?;
            None
        }
    };
    Ok(OperationResult { id: None, live: confirmed })
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
        ownership: K::OWNERSHIP,
        replacement: K::REPLACEMENT,
        naming: K::NAMING,
        idempotency: K::IDEMPOTENCY,
        stateful: K::STATEFUL,
        global: K::GLOBAL,
        referenceable_on_create: K::REFERENCEABLE_ON_CREATE,
        unique: K::UNIQUE,
        releases: K::RELEASES,
        deleted_with: K::DELETED_WITH,
        deletion_protection: K::DELETION_PROTECTION,
        fits: K::FITS,
        consistency_window: K::CONSISTENCY_WINDOW,
        write_only: K::WRITE_ONLY,
        status: &<K::Status as Spec>::RECORD,
        relations: K::RELATIONS,
        check: K::check,
        document_relations: K::DOCUMENT_RELATIONS,
    };

    fn untyped(mut live: Live<K>, region: &str) -> Observed {
        let mut spec = value::of(&live.spec).without_nulls();
        let mut tags = live.tags.clone();
        if !K::FIELD_TAGS.is_empty() {
            field_tags::read(&K::RECORD, K::FIELD_TAGS, &mut tags, &mut spec);
            // A tag that was edited out of band may not fit the field: the field then keeps the value of the response.
            if let Ok(typed) = serde_json::from_value(spec.json()) {
                live.spec = typed;
            }
        }
        Observed {
            region: region.to_owned(),
            id: live.id.clone(),
            name: live.name.clone(),
            spec,
            status: value::of(&live.status).without_nulls(),
            phase: live.phase,
            conditions: live.conditions.clone(),
            tags,
            scheduled: live.scheduled.clone(),
            bound: live.bound,
            opaque: Opaque(Some(Arc::new(live))),
        }
    }

    fn typed(observed: &Observed) -> Result<&Live<K>> {
        let live = observed.opaque.0.as_ref().and_then(|live| live.downcast_ref::<Live<K>>());
        live.ok_or_else(|| {
            Error::terminal(K::KIND, "the resource was changed before it was observed; this is a bug in Holdfast")
        })
    }

    fn typed_desired(desired: &DesiredResource) -> Result<Desired<K>> {
        let spec = serde_json::from_value(spec_json(&desired.spec))
            .map_err(|error| spec_mismatch(K::KIND, desired, &error))?;
        Ok(Desired {
            name: desired.name.clone(),
            spec,
            changed: desired.changed.clone(),
            stated: desired.stated.clone(),
            tags: desired.tags.clone(),
            token: desired.token.clone(),
        })
    }
}

fn spec_mismatch(kind: &str, desired: &DesiredResource, error: &serde_json::Error) -> Error {
    Error::terminal(kind, format!("{}: the spec does not fit the kind: {error}", desired.address))
}

/// The spec as the kind's struct reads it, without `tags`, which the adapter handles.
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

    async fn create(&self, aws: &Aws, desired: &DesiredResource) -> Result<OperationResult> {
        let mut typed = Self::typed_desired(desired)?;
        field_tags::add(K::FIELD_TAGS, &desired.spec, &mut typed.tags);
        let Created { id, live } = K::create(aws, &typed).await?;
        let live = live.map(|mut live| {
            if !K::OWNERSHIP.is_own() {
                live.tags.clear();
            }
            // The caller fills in the region.
            Self::untyped(live, "")
        });
        Ok(OperationResult { id: Some(id), live })
    }

    async fn update(&self, aws: &Aws, live: &Observed, desired: &DesiredResource) -> Result<Option<Observed>> {
        let (typed, typed_desired) = (Self::typed(live)?, Self::typed_desired(desired)?);
        match K::update(aws, typed, &typed_desired).await? {
            Updated::Known => Ok(Some(Self::untyped(Live { spec: typed_desired.spec, ..typed.clone() }, &live.region))),
            Updated::ObserveAgain => Ok(None),
            Updated::Unfinished(rest) => {
                // The tags record what was sent, so that the next update sends only the rest.
                let is_sent = |field: &str| {
                    desired.changed.contains(field)
                        && field_tags::records(K::FIELD_TAGS, field)
                        && field_tags::is_sent(K::FIELD_TAGS, field)
                };
                let mut sent = TagChanges::default();
                field_tags::change(K::FIELD_TAGS, is_sent, &desired.spec, &mut sent);
                if !sent.set.is_empty() || !sent.remove.is_empty() {
                    <K::Owner as OwnerRecord<K>>::write(aws, typed, &sent).await?;
                }
                Err(Error::not_yet(K::KIND, rest))
            }
        }
    }

    fn tags_are_listed(&self) -> bool {
        K::TAGS_ARE_LISTED
    }

    fn field_tags(&self) -> &'static [FieldTag] {
        K::FIELD_TAGS
    }

    async fn delete(&self, aws: &Aws, live: &Observed) -> Result<()> {
        // An older revision comes with the live state of the newest revision and its own id.
        let live = Live { id: live.id.clone(), ..Self::typed(live)?.clone() };
        K::delete(aws, &live).await
    }

    async fn tag(&self, aws: &Aws, live: &Observed, tags: &TagChanges) -> Result<Observed> {
        let mut tagged = Self::typed(live)?.clone();
        <K::Owner as OwnerRecord<K>>::write(aws, &tagged, tags).await?;
        tagged.tags = tags.applied_to(&tagged.tags);
        Ok(Self::untyped(tagged, &live.region))
    }
}
