//! The position of the typed walk in a resource's tree.

use crate::render::frame::Frame;
use crate::render::names::Namespaces;

/// The position of the walk: the frame and the names that are valid there, and the field.
#[derive(Clone, Copy)]
pub(super) struct Position<'p> {
    /// The frame of expressions.
    pub(super) frame: &'p Frame,
    /// The component in which the names of references are resolved first.
    pub(super) namespace: &'p str,
    /// The name of the field, for errors.
    pub(super) field: &'p str,
    /// True for an observed resource: no field is required, and no field has a default.
    pub(super) lookup: bool,
}

impl<'p> Position<'p> {
    /// Returns the components in which the names of references are resolved.
    pub(super) fn namespaces(self) -> Namespaces<'p> {
        [self.namespace, &self.frame.component]
    }
}
