//! Protections from deletion: those of the document, and AWS's own deletion protection.

use std::collections::HashMap;
use std::ptr;

use super::context::PlanContext;
use super::hold::Reason;
use super::users::{Deletion, User};
use crate::observed::Observed;
use crate::schema::{Ownership, Schema, Type};
use crate::value::Value;

/// Returns the deletion protection of AWS that refuses the deletion of a live resource: the field that turns it off.
///
/// The deletion of data includes the protection: the driver of a data store turns it off then.
fn aws_protection(context: &PlanContext<'_>, schema: &Schema, live: &Observed) -> Option<&'static str> {
    let is_granted = schema.stateful && context.policy.delete_data;
    schema.deletion_protection.filter(|path| !is_granted && live.spec.at(path) == Some(&Value::Bool(true)))
}

/// Holds the protected resources, and the resources that they contain, and returns the others.
///
/// A resource contains those that cannot exist without it: its immutable references and its parent link them. They are
/// kept, because a protected resource without them no longer does its work.
pub(super) fn hold_protected<'a>(
    context: &mut PlanContext<'a>,
    deletions: Vec<(Deletion<'a>, Option<String>)>,
) -> Vec<Deletion<'a>> {
    let mut others = vec![];
    let mut containers = vec![];
    for (one, protection) in deletions {
        let by_aws = || {
            let field = aws_protection(context, one.schema, one.observed)?;
            let id = &one.observed.id;
            Some(format!("AWS protects {id} from deletion; turn off its `{field}` to allow its deletion"))
        };
        match protection.or_else(by_aws) {
            Some(message) => {
                context.hold(&one.address, Reason::Protected, message, None);
                containers.push(one);
            }
            None => others.push(one),
        }
    }
    if containers.is_empty() {
        return others;
    }
    let live = context.live_users();
    let index: HashMap<*const Observed, usize> =
        others.iter().enumerate().map(|(at, one)| (ptr::from_ref(one.observed), at)).collect();
    let mut others: Vec<Option<Deletion<'a>>> = others.into_iter().map(Some).collect();
    while let Some(container) = containers.pop() {
        let users = live.referring_to(&container).into_iter().map(|at| live.users[at]);
        for user in users.filter(|user| contains(&container, user)) {
            let at = index.get(&ptr::from_ref(user.observed));
            let Some(one) = at.and_then(|at| others[*at].take()) else { continue };
            let (id, address) = (&one.observed.id, &container.address);
            let message = format!("{id} is part of {address}, which is kept because it is protected");
            context.hold(&one.address, Reason::DependencyNotReady, message, Some(address.clone()));
            containers.push(one);
        }
    }
    others.into_iter().flatten().collect()
}

/// True when a live resource is part of the container: an immutable reference, or the reference to its parent, names it.
fn contains(container: &Deletion<'_>, user: &User<'_>) -> bool {
    let identities = ["id", "arn", "name"].map(|attribute| container.observed.attribute(attribute));
    let parent = match user.schema.ownership {
        Ownership::ViaParent { field, .. } => Some(field),
        _ => None,
    };
    user.schema.record.fields.iter().any(|field| {
        let is_link = field.immutable || parent == Some(field.name);
        let is_kind = matches!(field.ty, Type::Reference { kind, .. } if kind == container.schema.kind);
        let value = user.observed.spec.get(field.name);
        is_link && is_kind && value.is_some_and(|value| identities.iter().flatten().any(|identity| identity == value))
    })
}
