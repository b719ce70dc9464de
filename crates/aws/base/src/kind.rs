//! The contract between a kind of AWS resource and the engine.

use std::future::Future;
use std::time::Duration;

use holdfast_core::schema::relation::Relation;
use holdfast_core::schema::{
    DocumentRelation, Idempotency, NamingRules, Ownership, Replacement, Spec, Tier, ValidationError,
};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::Aws;
use crate::error::Result;
use crate::field_tags::FieldTag;
use crate::owner::OwnerRecord;
pub use crate::owner::TagChanges;
pub use crate::resource::{Created, Desired, Live, Updated};

/// A kind of AWS resource. One file implements it, one line registers it.
///
/// A kind never waits: it reports a phase, and the engine polls. A kind never retries and never logs: the engine does.
/// A kind never interprets an error code: `error.rs` does.
///
/// # Expected flow
/// 1. `observe` finds the live resources that the scope asks for.
/// 2. `create` makes exactly one mutating call, with the owner tags in it where the API takes them.
/// 3. `update` changes the fields that differ. `Owner` changes the tags.
/// 4. `delete` deletes the resource; a resource that no longer exists counts as deleted.
///
/// # Guarantees
/// The engine calls `update` and `delete`, and changes tags, only for resources that this kind observed or created before.
///
/// # Assumptions
/// `observe` returns every owned resource of the region or fails: an incomplete result would make resources look deleted.
pub trait Kind: Spec + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The attributes that only AWS knows, such as ARNs and endpoints. They are never compared; expressions read them.
    type Status: Spec + Clone + Serialize + Send + Sync;
    /// Where the owner of a live resource is recorded, and the calls that change the record.
    type Owner: OwnerRecord<Self>;

    /// The tier of the kind.
    const TIER: Tier;
    /// How ownership of a live resource is recorded.
    const OWNERSHIP: Ownership = <Self::Owner as OwnerRecord<Self>>::OWNERSHIP;
    /// The order of create and destroy in a replacement.
    const REPLACEMENT: Replacement = Replacement::CreateBeforeDestroy;
    /// The sets of fields whose values no two resources share in AWS. A replacement that changes no field of a set is
    /// destroy before create.
    const UNIQUE: &'static [&'static [&'static str]] = &[];
    /// The reference fields that do not keep the resource that they refer to: AWS deletes that resource all the same, and
    /// drops the reference, or deletes this resource with it.
    const RELEASES: &'static [&'static str] = &[];
    /// The reference field to the resource with which AWS deletes this one.
    const DELETED_WITH: Option<&'static str> = None;
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
    /// The path of the field that makes AWS refuse the deletion of a resource while it is true. The planner holds the
    /// deletion then. If the deletion of data is granted, [`Kind::delete`] of a data store turns the field off.
    const DELETION_PROTECTION: Option<&'static str> = None;
    /// Pairs of fields: a change of the first one waits while the replacement of the resource that the second one refers to
    /// is held.
    const FITS: &'static [(&'static str, &'static str)] = &[];
    /// The consistency window: how long a read may lag behind a write (eventual consistency). EC2 asks clients
    /// to allow up to five minutes; a few seconds are usual.
    const CONSISTENCY_WINDOW: Duration = Duration::from_secs(30);
    /// True when the list response has the tags, so that no name is needed to find an owned resource.
    const TAGS_ARE_LISTED: bool = false;
    /// The write-only fields: no API returns them. Each with the reason.
    const WRITE_ONLY: &'static [(&'static str, &'static str)] = &[];
    /// The fields that no API returns and that tags of the resource record. The driver writes, reads and removes the tags.
    const FIELD_TAGS: &'static [FieldTag] = &[];

    /// The demands of AWS on several fields together, as data: `validate` reads them. The source stands beside each
    /// relation.
    const RELATIONS: &'static [Relation] = &[];

    /// The conditions that AWS puts on several resources of a document at once. A unique name and the identity of a
    /// kind without tags need no entry: the schema states them already.
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[];

    /// Finds combinations of fields that AWS refuses and that [`Kind::RELATIONS`] cannot express. Returns the path of the
    /// wrong field and a sentence for each.
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

    /// Changes the fields that differ, except tags and fields that only tags record. `desired.spec` holds the live
    /// values of unmanaged fields. Returns what the update leaves known.
    fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> impl Future<Output = Result<Updated>> + Send;

    /// Deletes the resource. The adapter turns "does not exist" into success.
    fn delete(aws: &Aws, live: &Live<Self>) -> impl Future<Output = Result<()>> + Send;
}
