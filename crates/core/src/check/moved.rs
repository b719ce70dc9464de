//! `movedFrom`: the old address must have left the document, and moves to one new address only.

use std::collections::BTreeMap;

use super::Declared;
use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::document::Resource;

/// Reports moves from an address that the document still declares, and two moves from one address.
pub(super) fn check(declared: &[Declared<'_>], all: &BTreeMap<Address, Resource>) -> Vec<Diagnostic> {
    let mut moved: BTreeMap<&Address, &Address> = BTreeMap::new();
    let mut errors = vec![];
    for one in declared {
        let Some(from) = &one.resource.lifecycle.moved_from else { continue };
        let at = one.locate("lifecycle.movedFrom");
        if all.contains_key(from) {
            let message = format!("`movedFrom` is `{from}`, which the document still declares");
            let help = format!("remove `{from}` from the document, or remove `movedFrom`");
            errors.push(Diagnostic::new(at, message).help(help));
        } else if let Some(other) = moved.insert(from, &one.resource.address) {
            let message = format!("`{from}` moves to `{other}` and to `{}`", one.resource.address);
            errors.push(Diagnostic::new(at, message).help("remove one of the two `movedFrom`"));
        }
    }
    errors
}
