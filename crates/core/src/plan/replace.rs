//! Replacement of a resource whose immutable fields change, if the replacement is granted and possible.

use std::collections::BTreeSet;

use super::hold::Reason;
use super::planner::{Planner, Readiness};
use super::{Action, Cause};
use crate::address::Address;
use crate::diff::Change;
use crate::document::Resource;
use crate::observed::Observed;
use crate::operation::Mutation;
use crate::resolve::without_after_create;
use crate::schema::Replacement;
use crate::value::Value;

impl Planner<'_> {
    /// Replaces a live resource, or holds the replacement.
    ///
    /// # Expected flow
    /// 1. The new values of the immutable fields are known. Until then the resource is held (`DependencyNotReady`).
    /// 2. The resource is not protected (`Protected`), and the document or a flag grants the replacement
    ///    (`ReplaceNotAllowed`).
    /// 3. The kind's [`Replacement`] decides the order. With create before destroy, the step creates the next
    ///    generation, whose generated name ends in `-g2`, `-g3`, …; dependents then move to it, and a later plan
    ///    deletes the old generation. With destroy before create, the step deletes the live resource, and a later plan
    ///    creates the new one.
    ///
    /// # Guarantees
    /// A resource that is held here is kept unchanged, and so are the dependents whose changes fit only its
    /// replacement.
    ///
    /// # Caveats
    /// A resource with an explicit name cannot be replaced create before destroy, because two resources cannot have one
    /// name. It is held (`ReplaceNameConflict`).
    pub(super) fn replace(
        &mut self,
        resource: &Resource,
        resolved: &Value,
        live: &Observed,
        cause: Cause,
        changes: Vec<Change>,
        progressing: BTreeSet<Address>,
    ) -> Readiness {
        let address = &resource.address;
        let forcing: Vec<&str> =
            changes.iter().filter(|c| c.immutable && c.unknown.is_none()).map(|c| c.path.as_str()).collect();
        if forcing.is_empty() {
            let waits_for = changes.iter().find_map(|c| c.unknown.clone());
            let paths: Vec<&str> = changes.iter().filter(|c| c.immutable).map(|c| c.path.as_str()).collect();
            let message =
                format!("a new value of `{}`, which would force a replacement, is not known yet", paths.join(", "));
            self.hold(address, Reason::DependencyNotReady, message, waits_for);
            return if progressing.is_empty() { Readiness::Blocked } else { Readiness::Progressing };
        }
        let forcing = forcing.join(", ");
        if resource.lifecycle.protect {
            let way_out = "remove `lifecycle: { protect: true }` to allow it";
            let message = format!("`{forcing}` forces a replacement, and the resource is protected; {way_out}");
            self.hold(address, Reason::Protected, message, None);
            return self.keep_unchanged(address, changes);
        }
        if !self.may_replace(resource) {
            let grants = format!("`lifecycle: {{ replace: allow }}` or `--allow-replace {address}`");
            let message = format!("`{forcing}` forces a replacement; grant it with {grants}");
            self.hold(address, Reason::ReplaceNotAllowed, message, None);
            return self.keep_unchanged(address, changes);
        }
        if let Some(replaced) = self.replacement_in_the_way(resource, &changes, true) {
            return self.await_replacement(resource, &replaced, changes);
        }
        let mutation = match resource.schema.replacement {
            Replacement::DestroyBeforeCreate => Mutation::Delete { live: Box::new(live.clone()) },
            Replacement::ByName if live.name == resource.name => Mutation::Delete { live: Box::new(live.clone()) },
            _ if resource.named && !resource.schema.naming.tag && live.name == resource.name => {
                let message = format!(
                    "`{forcing}` forces a replacement, and two resources cannot have the name `{}`; set another `name`",
                    live.name
                );
                self.hold(address, Reason::ReplaceNameConflict, message, None);
                return self.keep_unchanged(address, changes);
            }
            _ => {
                let generation = live.owner().map_or(1, |o| o.generation) + 1;
                let name = match resource.named {
                    true => resource.name.clone(),
                    false => format!("{}-g{generation}", resource.name),
                };
                Mutation::Create(self.desired_resource(
                    resource,
                    name,
                    &without_after_create(resource.schema.record, resolved),
                    generation,
                ))
            }
        };
        let unknown = changes.iter().any(|c| c.to.unknown().is_some_and(|u| !u.after_create));
        self.step(resource, Action::Replace, cause, changes, progressing, (!unknown).then_some(mutation))
    }

    /// True when the document or a flag grants the replacement of the resource.
    pub(super) fn may_replace(&self, resource: &Resource) -> bool {
        resource.lifecycle.replace || self.policy.replace.allows(&resource.address)
    }
}
