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
    /// The paths of `lifecycle.accept`, at the top level of the resource.
    pub(super) accept: &'p [String],
    /// True below a field that `lifecycle.accept` names: constraints are not checked.
    pub(super) accepted: bool,
}

impl<'p> Position<'p> {
    /// Returns the position below a field of the record.
    pub(super) fn below(self, field: &str) -> Self {
        let is_named = |path: &String| path.split('.').next() == Some(field);
        Position { accept: &[], accepted: self.accepted || self.accept.iter().any(is_named), ..self }
    }

    /// Returns the components in which the names of references are resolved.
    pub(super) fn namespaces(self) -> Namespaces<'p> {
        [self.namespace, &self.frame.component]
    }
}
