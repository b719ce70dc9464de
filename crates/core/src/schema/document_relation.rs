//! Relations between the resources of a document, as data: `validate` checks them before anything is created.

/// A condition that AWS puts on several resources of a document at once.
///
/// A field is a path in the spec. A path continues in every element of a list. `name` is the physical name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentRelation {
    /// No two resources of a region have the same values in all these fields. The condition does not apply to a
    /// resource without the first field.
    Unique(&'static [&'static str]),
    /// No two resources list the same element in this field.
    Exclusive(&'static str),
    /// The CIDR block of the resource is within its parent's block, and overlaps no block of its siblings.
    WithinBlock {
        /// The field with the CIDR block.
        field: &'static str,
        /// The reference to the parent.
        parent: &'static str,
        /// The fields of the parent that have its CIDR blocks.
        blocks: &'static [&'static str],
    },
    /// The Availability Zones in this field belong to the region of the resource.
    ZoneInRegion(&'static str),
    /// A resource with this value in the field belongs to this region.
    InRegion {
        /// The field.
        field: &'static str,
        /// The value that requires the region.
        value: &'static str,
        /// The region.
        region: &'static str,
    },
    /// The resource that this field refers to belongs to this region.
    ReferenceInRegion {
        /// The reference.
        field: &'static str,
        /// The region.
        region: &'static str,
    },
    /// The resource that a field refers to has every name that another field uses.
    NamedIn {
        /// The field that uses the names.
        field: &'static str,
        /// The reference to the resource that defines the names.
        reference: &'static str,
        /// The field of that resource that defines the names.
        names: &'static str,
    },
}
