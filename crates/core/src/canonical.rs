//! Canonical forms of values that have several equivalent forms in AWS.

use std::net::IpAddr;

use crate::value::Value;

/// Returns the ARN unchanged. An ARN has at least six parts.
///
/// # Errors
/// When the value is not an ARN.
pub fn arn(value: &Value) -> Result<Value, String> {
    let text = value.text().ok_or("an ARN is a string")?;
    if text.starts_with("arn:") && text.splitn(6, ':').count() == 6 {
        Ok(value.clone())
    } else {
        Err(format!("`{text}` is not an ARN; an example is `arn:aws:iam::123456789012:role/name`"))
    }
}

/// Returns the CIDR block with its host bits cleared, as EC2 stores it.
///
/// # Errors
/// When the value is not a CIDR block.
pub fn cidr(value: &Value) -> Result<Value, String> {
    let text = value.text().ok_or("a CIDR block is a string")?;
    let wrong = || format!("`{text}` is not a CIDR block; an example is `10.0.0.0/16`");
    let (ip, bits) = text.split_once('/').ok_or_else(wrong)?;
    let bits: u32 = bits.parse().map_err(|_| wrong())?;
    let masked = match ip.parse::<IpAddr>().map_err(|_| wrong())? {
        IpAddr::V4(ip) if bits <= 32 => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::from((u32::from(ip) & mask).to_be_bytes())
        }
        IpAddr::V6(ip) if bits <= 128 => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::from((u128::from(ip) & mask).to_be_bytes())
        }
        _ => return Err(wrong()),
    };
    Ok(Value::Text(format!("{masked}/{bits}")))
}

/// True when two CIDR blocks have addresses in common. False for other texts.
pub(crate) fn cidrs_overlap(one: &str, other: &str) -> bool {
    let network = |text: &str, bits: &str| {
        let block = cidr(&Value::Text(format!("{}/{bits}", text.split('/').next()?))).ok()?;
        block.text().map(str::to_owned)
    };
    let prefix = |text: &str| text.split_once('/').and_then(|(_, bits)| bits.parse::<u32>().ok());
    // The larger block contains the smaller one if both are in the same network of the larger one's size.
    let (Some(one_prefix), Some(other_prefix)) = (prefix(one), prefix(other)) else { return false };
    let shorter = one_prefix.min(other_prefix).to_string();
    matches!((network(one, &shorter), network(other, &shorter)), (Some(one), Some(other)) if one == other)
}

/// Returns JSON as a tree; the value is a tree or JSON text.
///
/// # Errors
/// When the text is not JSON.
pub fn json(value: &Value) -> Result<Value, String> {
    match value {
        Value::Text(text) => serde_json::from_str::<serde_json::Value>(text)
            .map(Value::from)
            .map_err(|error| format!("this is not valid JSON: {error}")),
        Value::Map(_) | Value::List(_) => Ok(value.clone()),
        other => Err(format!("`{other}` is not a JSON document")),
    }
}

/// Returns the canonical form of a policy document, in which equivalent policies are equal.
///
/// IAM stores a policy as it was written; other services rewrite it. `Action: x` and `Action: [x]` are equivalent, the
/// order of a statement's actions, resources and principals has no meaning, and an account principal comes back as the
/// ARN of the account's root user
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>).
///
/// # Errors
/// When the value is not a policy document.
pub fn policy(value: &Value) -> Result<Value, String> {
    let Value::Map(mut document) = json(value)? else {
        return Err("a policy document must be a map with `Version` and `Statement`".into());
    };
    let statements = match document.remove("Statement") {
        Some(Value::List(statements)) => statements,
        Some(one) => vec![one],
        None => return Err("a policy document needs a `Statement`".into()),
    };
    let statements = statements.into_iter().map(|s| normalize(s, "")).collect();
    document.insert("Statement".into(), Value::List(statements));
    Ok(Value::Map(document))
}

/// Sorts unordered lists and unwraps lists of one element, below the statements.
fn normalize(value: Value, key: &str) -> Value {
    match value {
        Value::Map(map) => Value::Map(map.into_iter().map(|(k, v)| (k.clone(), normalize(v, &k))).collect()),
        Value::List(list) => {
            let mut items: Vec<Value> = list.into_iter().map(|v| normalize(v, key)).collect();
            items.sort_by_key(ToString::to_string);
            items.dedup();
            match items.len() {
                1 => items.remove(0),
                _ => Value::List(items),
            }
        }
        // AWS returns condition values as strings, whatever type they had.
        Value::Bool(b) => Value::Text(b.to_string()),
        Value::Integer(n) => Value::Text(n.to_string()),
        Value::Text(text) if key == "AWS" && text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) => {
            Value::Text(format!("arn:aws:iam::{text}:root"))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cidr_blocks_overlap_if_one_contains_the_other() {
        assert!(cidrs_overlap("10.0.1.0/24", "10.0.0.0/16") && cidrs_overlap("10.0.0.0/16", "10.0.1.0/24"));
        assert!(cidrs_overlap("2001:db8::/64", "2001:db8::/56") && !cidrs_overlap("2001:db8::/64", "10.0.0.0/16"));
        assert!(!cidrs_overlap("10.0.1.0/24", "10.0.2.0/24") && !cidrs_overlap("web", "web"));
    }

    #[test]
    fn a_cidr_block_loses_its_host_bits() {
        assert_eq!(cidr(&"10.0.1.7/24".into()), Ok("10.0.1.0/24".into()));
        assert_eq!(cidr(&"0.0.0.0/0".into()), Ok("0.0.0.0/0".into()));
        assert_eq!(cidr(&"2001:DB8::1/32".into()), Ok("2001:db8::/32".into()));
        assert!(cidr(&"10.0.1.0".into()).is_err());
        assert!(cidr(&"10.0.1.0/33".into()).is_err());
    }

    #[test]
    fn equivalent_policies_have_the_same_canonical_form() {
        let a = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["b","a"],"Principal":{"AWS":"123456789012"},"Resource":["*"]}}"#;
        let b = r#"{"Statement":[{"Action":["a","b"],"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Resource":"*"}],"Version":"2012-10-17"}"#;
        assert_eq!(policy(&a.into()), policy(&b.into()));
        let c = r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":["b","a"],"Resource":["*"]}}"#;
        assert_ne!(policy(&a.into()), policy(&c.into()));
    }
}
