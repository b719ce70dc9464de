//! Replacement: a new one in the place of what cannot be changed, when that is granted and possible.

use std::collections::BTreeSet;

use super::hold::Reason;
use super::planner::{Planner, Standing};
use super::{Action, Cause};
use crate::address::Address;
use crate::diff::Change;
use crate::document::Resource;
use crate::observed::Observed;
use crate::op::Op;
use crate::resolve::without_late;
use crate::schema::Replace;
use crate::value::Value;

impl Planner<'_> {
    pub(super) fn replace(
        &mut self,
        resource: &Resource,
        resolved: &Value,
        live: &Observed,
        cause: Cause,
        changes: Vec<Change>,
        coming: BTreeSet<Address>,
    ) -> Standing {
        let address = &resource.address;
        let forcing: Vec<&str> =
            changes.iter().filter(|c| c.immutable && c.unknown.is_none()).map(|c| c.path.as_str()).collect();
        if forcing.is_empty() {
            let waits_for = changes.iter().find_map(|c| c.unknown.clone());
            self.hold(address, Reason::WaitsFor, "whether it has to be replaced is not known yet", waits_for);
            return if coming.is_empty() { Standing::Held } else { Standing::Coming };
        }
        let forcing = forcing.join(", ");
        if resource.lifecycle.protect {
            let message = format!("`{forcing}` forces a replacement, and it is protected");
            self.hold(address, Reason::Protected, message, None);
            return self.keep(address, changes);
        }
        if !self.may_replace(resource) {
            let message = format!(
                "`{forcing}` forces a replacement; grant it with `lifecycle: {{ replace: allow }}` or `--allow-replace {address}`"
            );
            self.hold(address, Reason::ReplaceNotGranted, message, None);
            return self.keep(address, changes);
        }
        if let Some(replaced) = self.replaced_first(resource, &changes, true) {
            return self.await_replacement(resource, &replaced, changes);
        }
        let op = match resource.schema.replace {
            Replace::DeleteFirst => Op::Delete { live: Box::new(live.clone()) },
            Replace::ByName if live.name == resource.name => Op::Delete { live: Box::new(live.clone()) },
            _ if resource.named && !resource.schema.naming.tag && live.name == resource.name => {
                let message = format!(
                    "`{forcing}` forces a replacement, and two cannot have the name `{}`; give it another `name`",
                    live.name
                );
                self.hold(address, Reason::NamedReplacement, message, None);
                return self.keep(address, changes);
            }
            _ => {
                let generation = live.owner().map_or(1, |o| o.generation) + 1;
                let name = match resource.named {
                    true => resource.name.clone(),
                    false => format!("{}-g{generation}", resource.name),
                };
                Op::Create(self.wanted(resource, name, &without_late(resource.schema.record, resolved), generation))
            }
        };
        let unknown = changes.iter().any(|c| c.to.unknown().is_some_and(|u| !u.late));
        self.step(resource, Action::Replace, cause, changes, coming, (!unknown).then_some(op))
    }

    /// True when its replacement is granted, by the document or a flag.
    pub(super) fn may_replace(&self, resource: &Resource) -> bool {
        resource.lifecycle.replace || self.policy.replace.allows(&resource.address)
    }
}
