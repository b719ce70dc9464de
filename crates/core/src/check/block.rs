//! CIDR blocks: within the parent's block, and without overlaps among siblings.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Declared, canonical, target, values};
use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::document::Resource;
use crate::schema::DocumentRelation;
use crate::value::Value;

/// A range of addresses. IPv4 and IPv6 never overlap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct AddressRange {
    is_v6: bool,
    first: u128,
    last: u128,
}

impl AddressRange {
    fn of(value: &Value) -> Option<AddressRange> {
        let (ip, bits) = value.text()?.split_once('/')?;
        let bits: u32 = bits.parse().ok()?;
        let (ip, is_v6, width) = match ip.parse().ok()? {
            IpAddr::V4(ip) => (u128::from(u32::from(ip)), false, 32u32),
            IpAddr::V6(ip) => (u128::from(ip), true, 128),
        };
        // The part of the address below the prefix.
        let host = u128::MAX.checked_shr(128 - width.checked_sub(bits)?).unwrap_or(0);
        Some(AddressRange { is_v6, first: ip & !host, last: ip | host })
    }

    fn contains(self, inner: AddressRange) -> bool {
        self.is_v6 == inner.is_v6 && self.first <= inner.first && inner.last <= self.last
    }
}

/// Reports blocks outside their parent's block, and blocks that overlap.
pub(super) fn check(declared: &[Declared<'_>], all: &BTreeMap<Address, Resource>) -> Vec<Diagnostic> {
    let mut errors = vec![];
    let mut siblings: BTreeMap<(&str, String), Vec<(AddressRange, &Declared<'_>)>> = BTreeMap::new();
    for one in declared {
        let spec = &one.resource.spec;
        for relation in one.resource.schema.document_relations {
            let DocumentRelation::WithinBlock { field, parent, blocks } = relation else { continue };
            let Some(block) = spec.at(field).and_then(AddressRange::of).filter(|_| !one.accepts(field)) else {
                continue;
            };
            let Some(of) = spec.at(parent) else { continue };
            if let Some(key) = canonical(of, None) {
                siblings.entry((field, key)).or_default().push((block, one));
            }
            let outer = target(of).and_then(|(address, _)| all.get(address)).filter(|parent| !parent.is_lookup());
            errors.extend(outer.and_then(|parent| outside(one, block, field, parent, blocks)));
        }
    }
    for ((field, _), mut blocks) in siblings {
        blocks.sort_by_key(|(block, _)| *block);
        for pair in blocks.windows(2) {
            let [(before, first), (block, second)] = pair else { continue };
            if before.is_v6 == block.is_v6 && block.first <= before.last {
                errors.push(overlap(first, second, field));
            }
        }
    }
    errors
}

fn outside(
    one: &Declared<'_>,
    block: AddressRange,
    field: &str,
    parent: &Resource,
    blocks: &[&str],
) -> Option<Diagnostic> {
    let stated: Vec<&Value> = blocks.iter().flat_map(|field| values(&parent.spec, field)).collect();
    let flat = stated
        .iter()
        .flat_map(|value| if let Value::List(list) = value { list.iter().collect() } else { vec![*value] });
    let stated: Vec<&Value> = flat.filter(|value| **value != Value::Null).collect();
    // A block that is not known yet may contain the resource's block.
    let known: Option<Vec<AddressRange>> = stated.iter().map(|value| AddressRange::of(value)).collect();
    let known = known?;
    if known.is_empty() || known.iter().any(|outer| outer.contains(block)) {
        return None;
    }
    let (address, value) = (&one.resource.address, one.resource.spec.at(field)?);
    let ranges: Vec<String> = stated.iter().map(ToString::to_string).collect();
    let message =
        format!("`{field}` of `{address}` is {value}, which is outside `{}` ({})", parent.address, ranges.join(", "));
    let help = format!("choose a block within {}", ranges.join(" or "));
    Some(Diagnostic::new(one.locate(field), message).help(help))
}

fn overlap(first: &Declared<'_>, second: &Declared<'_>, field: &str) -> Diagnostic {
    // The error is at the later declaration, which is the one that was probably added.
    let (first, second) = if first.at <= second.at { (first, second) } else { (second, first) };
    let block = |one: &Declared<'_>| one.resource.spec.at(field).map(ToString::to_string).unwrap_or_default();
    let (address, other) = (&second.resource.address, &first.resource.address);
    let message =
        format!("`{field}` of `{address}` is {}, which overlaps {} of `{other}`", block(second), block(first));
    Diagnostic::new(second.locate(field), message).help("give each of them addresses of its own")
}
