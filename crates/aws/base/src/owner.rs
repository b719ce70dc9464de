//! Owner records: where a kind records the owner of a live resource, and the calls that change the record.
//!
//! Each kind names its record in [`Kind::Owner`]. A kind whose record needs a method of its own does not compile without it.

use std::future::Future;
use std::marker::PhantomData;

use holdfast_core::schema::{FieldName, HasArn, Ownership};

use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::resource::Live;
pub use crate::tags::TagChanges;
use crate::tags::Tags;

/// Where the owner of a live resource of the kind `K` is recorded.
pub trait OwnerRecord<K: Kind> {
    /// The record, as the schema describes it.
    const OWNERSHIP: Ownership;

    /// Changes the owner record and the other tags of a live resource.
    fn write(aws: &Aws, live: &Live<K>, changes: &TagChanges) -> impl Future<Output = Result<()>> + Send;
}

/// The calls of a service that set and remove tags of a resource. One implementation serves all kinds of the service.
pub trait TagCalls {
    /// Sets tags; existing values of the same keys are overwritten.
    fn set(aws: &Aws, resource: &str, tags: &Tags) -> impl Future<Output = Result<()>> + Send;

    /// Removes the tags with these keys.
    fn remove(aws: &Aws, resource: &str, keys: Vec<String>) -> impl Future<Output = Result<()>> + Send;
}

/// The identifier of a resource in the tag calls of its service.
pub trait TagTarget<K: Kind> {
    /// Returns the identifier.
    fn of(live: &Live<K>) -> &str;
}

/// The tag calls take [`Live::id`].
pub struct ById;

impl<K: Kind> TagTarget<K> for ById {
    fn of(live: &Live<K>) -> &str {
        &live.id
    }
}

/// The tag calls take the ARN, which is the attribute `arn` of the status.
pub struct ByArn;

impl<K: Kind<Status: HasArn>> TagTarget<K> for ByArn {
    fn of(live: &Live<K>) -> &str {
        live.status.arn()
    }
}

/// The create call sets the owner tags; the calls `S` change them. `T` identifies the resource in those calls.
pub struct TagOnCreate<S, T = ById>(PhantomData<fn() -> (S, T)>);

impl<K: Kind, S: TagCalls, T: TagTarget<K>> OwnerRecord<K> for TagOnCreate<S, T> {
    const OWNERSHIP: Ownership = Ownership::TagOnCreate;

    async fn write(aws: &Aws, live: &Live<K>, changes: &TagChanges) -> Result<()> {
        change_tags::<S>(aws, T::of(live), changes).await
    }
}

/// The caller reference of the create names the owner, and the calls `S` set the owner tags right after it.
pub struct CallerReference<S, T = ById>(PhantomData<fn() -> (S, T)>);

impl<K: Kind, S: TagCalls, T: TagTarget<K>> OwnerRecord<K> for CallerReference<S, T> {
    const OWNERSHIP: Ownership = Ownership::CallerReference;

    async fn write(aws: &Aws, live: &Live<K>, changes: &TagChanges) -> Result<()> {
        change_tags::<S>(aws, T::of(live), changes).await
    }
}

/// Sets and removes the tags of a resource, each with one call where there is something to do.
pub async fn change_tags<S: TagCalls>(aws: &Aws, resource: &str, changes: &TagChanges) -> Result<()> {
    if !changes.set.is_empty() {
        S::set(aws, resource, &changes.set).await?;
    }
    if !changes.remove.is_empty() {
        S::remove(aws, resource, changes.remove.iter().cloned().collect()).await?;
    }
    Ok(())
}

/// The kind has no tags: a marker in a text of the resource names the owner. See [`crate::owner_marker`].
pub struct EmbeddedMarker;

/// A kind whose owner is recorded by a marker in a text of the resource.
pub trait Marked: Kind {
    /// The fields that identify a resource. Empty when the physical name identifies it.
    const IDENTITY: &'static [&'static str] = &[];

    /// Writes the marker for exactly these owner tags, and leaves everything else of the live resource as it is. The
    /// tags have no stack when the resource is released: the text then has no marker.
    fn write_marker(aws: &Aws, live: &Live<Self>, owner: &Tags) -> impl Future<Output = Result<()>> + Send;
}

impl<K: Marked> OwnerRecord<K> for EmbeddedMarker {
    const OWNERSHIP: Ownership = Ownership::EmbeddedMarker { key: K::IDENTITY };

    async fn write(aws: &Aws, live: &Live<K>, changes: &TagChanges) -> Result<()> {
        K::write_marker(aws, live, &changes.applied_to(&live.tags)).await
    }
}

/// The kind has no tags, and the resource belongs to an owned parent. The parent's tags record the resource.
pub struct ViaParent;

/// A kind whose resources belong to an owned parent.
pub trait Child: Kind {
    /// The field that refers to the parent.
    const PARENT: FieldName<Self>;
    /// The fields that distinguish a resource from its siblings. Empty when the physical name does.
    const KEY: &'static [&'static str] = &[];
}

impl<K: Child> OwnerRecord<K> for ViaParent {
    const OWNERSHIP: Ownership = Ownership::ViaParent { field: K::PARENT.name(), key: K::KEY };

    async fn write(_aws: &Aws, _live: &Live<K>, _changes: &TagChanges) -> Result<()> {
        Err(Error::terminal(K::KIND, "this kind has no tags"))
    }
}
