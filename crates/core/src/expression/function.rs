//! Functions of expressions in addition to CEL's own. Each can be called as `f(x, …)` and as `x.f(…)`.
//!
//! | call | result |
//! |---|---|
//! | `join(list, separator)` | the elements as one string |
//! | `split(string, separator)` | a list of strings |
//! | `replace(string, from, to)` | the string with every `from` replaced by `to` |
//! | `lower(string)`, `upper(string)`, `trim(string)` | in lower case, in upper case, without surrounding whitespace |
//! | `indexOf(list, element)` | the index of the first such element, from 0; -1 when there is none. Also for strings |
//! | `range(n)` | `[0, 1, …, n-1]`, at most 1,000 |
//! | `keys(map)` | the keys, sorted |
//! | `merge(map, map)` | the entries of both; for a key in both, the value of the second |
//! | `default(x, y)` | `x`, or `y` when `x` is null or missing |
//! | `json(x)` | `x` as JSON text, keys sorted |
//! | `cidrSubnet(cidr, newbits, index)` | block number `index` of `cidr`, split into blocks `newbits` bits longer |

use std::net::IpAddr;
use std::sync::Arc;

use cel::extractors::This;
use cel::objects::{Key, Map};
use cel::{Context, ExecutionError, Value as Cel};

use crate::expression::bound::{ADD, CHARGE, EvaluationBudget, ITEMS, ITEMS_OF, TEXT};
use crate::expression::convert::{from_cel, key, to_cel};
use crate::expression::plain_text;
use crate::value::Value;

type Output = Result<Cel, ExecutionError>;

/// The names of the functions.
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

/// Adds the functions to a context, with a budget for its comprehensions.
pub(crate) fn add(context: &mut Context<'_, '_>, budget: &EvaluationBudget) {
    let items = budget.clone();
    let charged = budget.clone();
    let added_lengths = budget.clone();
    let added = [
        context.add_function(ADD, move |left: Cel, right: Cel| add_values(left, right, &added_lengths)),
        context.add_function(ITEMS_OF, move |list: Cel, weight: i64| iterated(list, weight, &items)),
        context.add_function(CHARGE, move |value: Cel, steps: i64| {
            charged.charge(usize::try_from(steps).unwrap_or(0)).map_err(|m| failure("matches", &m))?;
            Output::Ok(value)
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
        context.add_function("default", |This(x): This<Cel>, y: Cel| -> Output {
            Ok(if matches!(x, Cel::Null) { y } else { x })
        }),
        context.add_function("json", json),
        context.add_function("cidrSubnet", cidr_subnet),
    ];
    debug_assert!(added.iter().all(Result::is_ok), "the name of a function is already in use in CEL: {added:?}");
}

fn failure(function: &str, message: &str) -> ExecutionError {
    ExecutionError::function_error(function, message)
}

/// Returns the sum or concatenation of two values, and charges its length to the budget before it is made.
fn add_values(left: Cel, right: Cel, budget: &EvaluationBudget) -> Output {
    let length = |value: &Cel| match value {
        Cel::String(text) => text.len(),
        Cel::List(list) => list.len().saturating_mul(size_of::<Cel>()),
        _ => 0,
    };
    let bytes = length(&left).saturating_add(length(&right));
    budget.charge_length(bytes).map_err(|message| failure("+", &message))?;
    left + right
}

/// Returns the list of a comprehension, or the sorted keys of a map, and charges it to the budget.
fn iterated(list: Cel, weight: i64, budget: &EvaluationBudget) -> Output {
    let list = match list {
        Cel::List(_) => list,
        Cel::Map(map) => sorted_keys(&map),
        other => {
            let message = format!("cannot iterate over a value of type {}; use a list or a map", other.type_of());
            return Err(failure("map", &message));
        }
    };
    let Cel::List(items) = &list else { return Ok(list) };
    if items.len() > ITEMS {
        return Err(failure(
            "map",
            &format!("this list has {} elements; an expression iterates over at most {ITEMS}", items.len()),
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

fn limited(function: &str, text: String) -> Output {
    if text.len() > TEXT {
        return Err(failure(function, &format!("the result of `{function}` is longer than {TEXT} bytes")));
    }
    Ok(Cel::String(Arc::new(text)))
}

fn join(This(list): This<Arc<Vec<Cel>>>, separator: Arc<String>) -> Output {
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
                    &format!("`join` takes strings and numbers, but an element has the type {}", other.type_of()),
                ));
            }
        }
        if text.len() > TEXT {
            break;
        }
    }
    limited("join", text)
}

fn split(This(text): This<Arc<String>>, separator: Arc<String>) -> Output {
    if separator.is_empty() {
        return Err(failure("split", "`split` needs a separator that is not empty"));
    }
    let parts = text.split(separator.as_str()).map(|part| Cel::String(Arc::new(part.to_owned())));
    Ok(Cel::List(Arc::new(parts.collect())))
}

fn replace(This(text): This<Arc<String>>, from: Arc<String>, to: Arc<String>) -> Output {
    if from.is_empty() {
        return Err(failure("replace", "`replace` needs a string to replace that is not empty"));
    }
    let grown = text.matches(from.as_str()).count().saturating_mul(to.len());
    if grown > TEXT {
        return Err(failure("replace", &format!("the result of `replace` is longer than {TEXT} bytes")));
    }
    limited("replace", text.replace(from.as_str(), &to))
}

fn index_of(This(of): This<Cel>, element: Cel) -> Output {
    let at = match (&of, &element) {
        (Cel::List(list), element) => list.iter().position(|item| item == element),
        (Cel::String(text), Cel::String(part)) => text.find(part.as_str()).map(|byte| text[..byte].chars().count()),
        _ => return Err(failure("indexOf", "`indexOf` takes a list and an element, or two strings")),
    };
    Ok(Cel::Int(at.map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX))))
}

fn range(This(n): This<i64>) -> Output {
    match usize::try_from(n) {
        Ok(count) if count <= ITEMS => Ok(Cel::List(Arc::new((0..n).map(Cel::Int).collect()))),
        _ => Err(failure("range", &format!("`range` takes a number from 0 to {ITEMS}"))),
    }
}

fn keys(This(map): This<Cel>) -> Output {
    match &map {
        Cel::Map(map) => Ok(sorted_keys(map)),
        other => Err(failure("keys", &format!("`keys` takes a map, but this value has the type {}", other.type_of()))),
    }
}

fn merge(This(below): This<Cel>, above: Cel) -> Output {
    let (Cel::Map(below), Cel::Map(above)) = (&below, &above) else {
        return Err(failure("merge", "`merge` takes two maps"));
    };
    let mut merged: std::collections::HashMap<Key, Cel> = below.map.as_ref().clone();
    merged.extend(above.map.iter().map(|(k, v)| (k.clone(), v.clone())));
    Ok(Cel::Map(Map { map: Arc::new(merged) }))
}

fn json(This(value): This<Cel>) -> Output {
    let value = from_cel(&value).map_err(|message| failure("json", &message))?;
    limited("json", value.json().to_string())
}

fn cidr_subnet(This(cidr): This<Arc<String>>, newbits: i64, index: i64) -> Output {
    let block = subnet(&cidr, newbits, index).map_err(|message| failure("cidrSubnet", &message))?;
    Ok(to_cel(&Value::Text(block)))
}

fn subnet(cidr: &str, newbits: i64, index: i64) -> Result<String, String> {
    let wrong = || format!("`{cidr}` is not a CIDR block; an example is `10.0.0.0/16`");
    let (ip, bits) = cidr.split_once('/').ok_or_else(wrong)?;
    let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
    let bits: u32 = bits.parse().map_err(|_| wrong())?;
    let width = if ip.is_ipv4() { 32 } else { 128 };
    let newbits = u32::try_from(newbits).map_err(|_| "`newbits` must be at least 0".to_owned())?;
    let index = u128::try_from(index).map_err(|_| "`index` must be at least 0".to_owned())?;
    let longer = bits
        .checked_add(newbits)
        .filter(|longer| *longer <= width)
        .ok_or_else(|| format!("`{cidr}` extended by {newbits} bits is longer than the {width} bits of an address"))?;
    if newbits < 128 && index >> newbits != 0 {
        return Err(format!(
            "there is no block number {index}: {newbits} more bits give {} blocks, numbered from 0",
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

/// Returns `bits` ones at the top of an address of `width` bits.
fn ones(bits: u32, width: u32) -> u128 {
    let all = if width == 128 { u128::MAX } else { (1 << width) - 1 };
    let below = all.checked_shr(bits).unwrap_or(0);
    all & !below
}
