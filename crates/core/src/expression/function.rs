//! Functions of expressions beyond CEL's own. Each can be called as `f(x, …)` and as `x.f(…)`.
//!
//! | call | answer |
//! |---|---|
//! | `join(list, separator)` | the elements as one string |
//! | `split(string, separator)` | a list of strings |
//! | `replace(string, from, to)` | every `from` replaced |
//! | `lower(string)`, `upper(string)`, `trim(string)` | in lower case, in upper case, without space around it |
//! | `indexOf(list, element)` | where the first such element is, from 0; -1 when there is none. Also of strings |
//! | `range(n)` | `[0, 1, …, n-1]`, at most 1,000 |
//! | `keys(map)` | the keys, sorted |
//! | `merge(map, map)` | both; the second wins |
//! | `default(x, y)` | `x`, or `y` when `x` is null or missing |
//! | `json(x)` | `x` as JSON text, keys sorted |
//! | `cidrSubnet(cidr, newbits, index)` | the block number `index` when `cidr` is cut into blocks `newbits` longer |

use std::net::IpAddr;
use std::sync::Arc;

use cel::extractors::This;
use cel::objects::{Key, Map};
use cel::{Context, ExecutionError, Value as Cel};

use crate::expression::bound::{Budget, CHARGE, ITEMS, ITEMS_OF, TEXT};
use crate::expression::convert::{from_cel, key, to_cel};
use crate::expression::plain_text;
use crate::value::Value;

type Answer = Result<Cel, ExecutionError>;

/// The names of the functions, for suggestions and the manual.
pub const NAMES: [&str; 13] = [
    "cidrSubnet",
    "default",
    "indexOf",
    "join",
    "json",
    "keys",
    "lower",
    "merge",
    "range",
    "replace",
    "split",
    "trim",
    "upper",
];

/// Adds the functions to a context, with a budget for what its comprehensions may do.
pub(crate) fn add(context: &mut Context<'_, '_>, budget: &Budget) {
    let items = budget.clone();
    let charged = budget.clone();
    let added = [
        context.add_function(ITEMS_OF, move |list: Cel, weight: i64| iterated(list, weight, &items)),
        context.add_function(CHARGE, move |value: Cel, steps: i64| {
            charged.charge(usize::try_from(steps).unwrap_or(0)).map_err(|m| failure("matches", &m))?;
            Answer::Ok(value)
        }),
        context.add_function("join", join),
        context.add_function("split", split),
        context.add_function("replace", replace),
        context.add_function("lower", |This(text): This<Arc<String>>| text.to_lowercase()),
        context.add_function("upper", |This(text): This<Arc<String>>| text.to_uppercase()),
        context.add_function("trim", |This(text): This<Arc<String>>| text.trim().to_owned()),
        context.add_function("indexOf", index_of),
        context.add_function("range", range),
        context.add_function("keys", keys),
        context.add_function("merge", merge),
        context.add_function("default", |This(x): This<Cel>, y: Cel| -> Answer {
            Ok(if matches!(x, Cel::Null) { y } else { x })
        }),
        context.add_function("json", json),
        context.add_function("cidrSubnet", cidr_subnet),
    ];
    debug_assert!(added.iter().all(Result::is_ok), "a function has the name of one of CEL's own: {added:?}");
}

fn failure(function: &str, message: &str) -> ExecutionError {
    ExecutionError::function_error(function, message)
}

/// The list of a comprehension, charged; the keys of a map in order.
fn iterated(list: Cel, weight: i64, budget: &Budget) -> Answer {
    let list = match list {
        Cel::List(_) => list,
        Cel::Map(map) => sorted_keys(&map),
        other => {
            return Err(failure("map", &format!("a {} cannot be gone through; a list or a map can", other.type_of())));
        }
    };
    let Cel::List(items) = &list else { return Ok(list) };
    if items.len() > ITEMS {
        return Err(failure(
            "map",
            &format!("this list has {} elements; an expression goes through at most {ITEMS}", items.len()),
        ));
    }
    let weight = usize::try_from(weight).unwrap_or(usize::MAX);
    budget.charge(items.len().saturating_mul(weight)).map_err(|message| failure("map", &message))?;
    Ok(list)
}

fn sorted_keys(map: &Map) -> Cel {
    let mut keys: Vec<String> = map.map.keys().map(key).collect();
    keys.sort();
    Cel::List(Arc::new(keys.into_iter().map(|k| Cel::String(Arc::new(k))).collect()))
}

fn limited(function: &str, text: String) -> Answer {
    if text.len() > TEXT {
        return Err(failure(function, &format!("`{function}` makes a text of more than {TEXT} bytes")));
    }
    Ok(Cel::String(Arc::new(text)))
}

fn join(This(list): This<Arc<Vec<Cel>>>, separator: Arc<String>) -> Answer {
    let mut text = String::new();
    for (at, item) in list.iter().enumerate() {
        if at > 0 {
            text.push_str(&separator);
        }
        match item {
            Cel::String(item) => text.push_str(item),
            Cel::Int(_) | Cel::UInt(_) | Cel::Bool(_) | Cel::Float(_) => {
                text.push_str(&plain_text(&from_cel(item).map_err(|m| failure("join", &m))?));
            }
            other => {
                return Err(failure(
                    "join",
                    &format!("`join` takes strings and numbers, and found a {}", other.type_of()),
                ));
            }
        }
        if text.len() > TEXT {
            break;
        }
    }
    limited("join", text)
}

fn split(This(text): This<Arc<String>>, separator: Arc<String>) -> Answer {
    if separator.is_empty() {
        return Err(failure("split", "`split` needs a separator"));
    }
    let parts = text.split(separator.as_str()).map(|part| Cel::String(Arc::new(part.to_owned())));
    Ok(Cel::List(Arc::new(parts.collect())))
}

fn replace(This(text): This<Arc<String>>, from: Arc<String>, to: Arc<String>) -> Answer {
    if from.is_empty() {
        return Err(failure("replace", "`replace` needs something to replace"));
    }
    let grown = text.matches(from.as_str()).count().saturating_mul(to.len());
    if grown > TEXT {
        return Err(failure("replace", &format!("`replace` makes a text of more than {TEXT} bytes")));
    }
    limited("replace", text.replace(from.as_str(), &to))
}

fn index_of(This(of): This<Cel>, element: Cel) -> Answer {
    let at = match (&of, &element) {
        (Cel::List(list), element) => list.iter().position(|item| item == element),
        (Cel::String(text), Cel::String(part)) => text.find(part.as_str()).map(|byte| text[..byte].chars().count()),
        _ => return Err(failure("indexOf", "`indexOf` takes a list and an element, or two strings")),
    };
    Ok(Cel::Int(at.map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX))))
}

fn range(This(n): This<i64>) -> Answer {
    match usize::try_from(n) {
        Ok(count) if count <= ITEMS => Ok(Cel::List(Arc::new((0..n).map(Cel::Int).collect()))),
        _ => Err(failure("range", &format!("`range` takes 0 to {ITEMS}"))),
    }
}

fn keys(This(map): This<Cel>) -> Answer {
    match &map {
        Cel::Map(map) => Ok(sorted_keys(map)),
        other => Err(failure("keys", &format!("`keys` takes a map, and found a {}", other.type_of()))),
    }
}

fn merge(This(below): This<Cel>, above: Cel) -> Answer {
    let (Cel::Map(below), Cel::Map(above)) = (&below, &above) else {
        return Err(failure("merge", "`merge` takes two maps"));
    };
    let mut merged: std::collections::HashMap<Key, Cel> = below.map.as_ref().clone();
    merged.extend(above.map.iter().map(|(k, v)| (k.clone(), v.clone())));
    Ok(Cel::Map(Map { map: Arc::new(merged) }))
}

fn json(This(value): This<Cel>) -> Answer {
    let value = from_cel(&value).map_err(|message| failure("json", &message))?;
    limited("json", value.json().to_string())
}

fn cidr_subnet(This(cidr): This<Arc<String>>, newbits: i64, index: i64) -> Answer {
    let block = subnet(&cidr, newbits, index).map_err(|message| failure("cidrSubnet", &message))?;
    Ok(to_cel(&Value::Text(block)))
}

fn subnet(cidr: &str, newbits: i64, index: i64) -> Result<String, String> {
    let wrong = || format!("`{cidr}` is not a CIDR block; one looks like `10.0.0.0/16`");
    let (ip, bits) = cidr.split_once('/').ok_or_else(wrong)?;
    let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
    let bits: u32 = bits.parse().map_err(|_| wrong())?;
    let width = if ip.is_ipv4() { 32 } else { 128 };
    let newbits = u32::try_from(newbits).map_err(|_| "`newbits` is at least 0".to_owned())?;
    let index = u128::try_from(index).map_err(|_| "`index` is at least 0".to_owned())?;
    let longer = bits
        .checked_add(newbits)
        .filter(|longer| *longer <= width)
        .ok_or_else(|| format!("`{cidr}` with {newbits} more bits is longer than the {width} bits of an address"))?;
    if newbits < 128 && index >> newbits != 0 {
        return Err(format!(
            "there is no block number {index}: {newbits} bits make {} blocks, from 0",
            1u128 << newbits
        ));
    }
    let base = match ip {
        IpAddr::V4(ip) => u128::from(u32::from(ip)),
        IpAddr::V6(ip) => u128::from(ip),
    };
    let masked = base & ones(bits, width);
    let placed = masked | index.checked_shl(width - longer).unwrap_or(0);
    let block = match ip {
        IpAddr::V4(_) => IpAddr::from(u32::try_from(placed).map_err(|_| wrong())?.to_be_bytes()),
        IpAddr::V6(_) => IpAddr::from(placed.to_be_bytes()),
    };
    Ok(format!("{block}/{longer}"))
}

/// `bits` ones at the top of an address of `width` bits.
fn ones(bits: u32, width: u32) -> u128 {
    let all = if width == 128 { u128::MAX } else { (1 << width) - 1 };
    let below = all.checked_shr(bits).unwrap_or(0);
    all & !below
}
