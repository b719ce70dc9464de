//! Canonical forms of values that have several equivalent forms in AWS.

use std::net::IpAddr;

use crate::expression::whole;
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

/// Returns JSON as a tree; the value is a tree or JSON text. `1.0` is `1`.
///
/// # Errors
/// When the text is not JSON.
pub fn json(value: &Value) -> Result<Value, String> {
    match value {
        Value::Text(text) => serde_json::from_str::<serde_json::Value>(text)
            .map(|tree| whole_numbers(tree.into()))
            .map_err(|error| format!("this is not valid JSON: {error}")),
        Value::Map(_) | Value::List(_) => Ok(whole_numbers(value.clone())),
        other => Err(format!("`{other}` is not a JSON document")),
    }
}

fn whole_numbers(value: Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(map.into_iter().map(|(k, v)| (k, whole_numbers(v))).collect()),
        Value::List(list) => Value::List(list.into_iter().map(whole_numbers).collect()),
        Value::Number(n) => whole(n).unwrap_or(Value::Number(n)),
        other => other,
    }
}

/// Returns the canonical form of a policy document, in which equivalent policies are equal.
///
/// IAM stores a policy as it was written; other services rewrite it. These differences have no meaning:
/// - `Action: x` and `Action: [x]`, and the order of statements, actions, resources and principals; the version
///   `2008-10-17`, which is the default
///   (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>);
/// - the case of actions
///   (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>);
/// - the case of condition keys, and numbers and booleans instead of strings in conditions
///   (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html>);
/// - an account as a principal, which comes back as the ARN of its root user, and `Principal: "*"` and
///   `Principal: { AWS: "*" }`
///   (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>).
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
    document.insert("Statement".into(), Value::List(set(statements.into_iter().map(statement).collect())));
    document.entry("Version".into()).or_insert_with(|| "2008-10-17".into());
    Ok(Value::Map(document))
}

fn statement(value: Value) -> Value {
    let Value::Map(map) = value else { return value };
    let element = |(key, value): (String, Value)| {
        let value = match key.as_str() {
            "Action" | "NotAction" => each_text(value, &|text| text.to_lowercase()),
            "Principal" | "NotPrincipal" => match value {
                Value::Text(all) if all == "*" => Value::from([("AWS", "*")]),
                Value::Map(by) => Value::Map(by.into_iter().map(principal).collect()),
                other => other,
            },
            "Condition" => condition(value),
            _ => value,
        };
        (key, plain(value))
    };
    Value::Map(map.into_iter().map(element).filter(|(key, value)| key != "Sid" || value.text() != Some("")).collect())
}

/// Writes the account of an AWS principal as the ARN of its root user.
fn principal((by, value): (String, Value)) -> (String, Value) {
    let root = |text: &str| match text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        true => format!("arn:aws:iam::{text}:root"),
        false => text.to_owned(),
    };
    let value = if by == "AWS" { each_text(value, &root) } else { value };
    (by, value)
}

/// Writes the keys of conditions in lower case. The part of a key after a slash is the key of a tag, and keeps its case.
fn condition(value: Value) -> Value {
    let lower = |key: String| match key.split_once('/') {
        Some((name, tag)) => format!("{}/{tag}", name.to_lowercase()),
        None => key.to_lowercase(),
    };
    let Value::Map(operators) = value else { return value };
    let keys = |value| match value {
        Value::Map(keys) => Value::Map(keys.into_iter().map(|(key, value)| (lower(key), value)).collect()),
        other => other,
    };
    Value::Map(operators.into_iter().map(|(operator, value)| (operator, keys(value))).collect())
}

fn each_text(value: Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::Text(text) => Value::Text(change(&text)),
        Value::List(list) => Value::List(list.into_iter().map(|value| each_text(value, change)).collect()),
        other => other,
    }
}

/// Sorts unordered lists, unwraps lists of one element, and writes numbers and booleans as strings.
fn plain(value: Value) -> Value {
    match value {
        Value::Map(map) => Value::Map(map.into_iter().map(|(k, v)| (k, plain(v))).collect()),
        Value::List(list) => {
            let mut items = set(list.into_iter().map(plain).collect());
            if items.len() == 1 { items.remove(0) } else { Value::List(items) }
        }
        Value::Bool(b) => Value::Text(b.to_string()),
        Value::Integer(n) => Value::Text(n.to_string()),
        Value::Number(n) => Value::Text(n.to_string()),
        other => other,
    }
}

fn set(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_key(ToString::to_string);
    items.dedup();
    items
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

    #[test]
    fn every_spelling_of_a_policy_has_the_same_canonical_form() {
        let of = |statement: serde_json::Value| policy(&serde_json::json!({ "Statement": statement }).into()).unwrap();
        let condition = |key: &str, value: serde_json::Value| serde_json::json!({ "Effect": "Allow", "Action": "a:B", "Condition": { "NumericLessThan": { key: value } } });
        let base = of(condition("aws:MultiFactorAuthAge", serde_json::json!("1.2")));
        assert_eq!(base, of(condition("AWS:multifactorauthage", serde_json::json!(1.2))));
        assert_ne!(base, of(condition("aws:MultiFactorAuthAge", serde_json::json!(1.3))));
        assert_ne!(of(condition("aws:RequestTag/Team", 1.into())), of(condition("aws:RequestTag/team", 1.into())));
        assert_eq!(of(condition("a:b", true.into())), of(condition("a:b", serde_json::json!(["true"]))));
        let allow = |action: &str, principal: serde_json::Value| serde_json::json!({ "Effect": "Allow", "Action": action, "Principal": principal });
        let (any, all) = (serde_json::json!("*"), serde_json::json!({ "AWS": ["*"] }));
        assert_eq!(of(allow("s3:GetObject", any.clone())), of(allow("S3:getobject", all)));
        let (one, two) = (allow("s3:GetObject", any.clone()), allow("s3:PutObject", any));
        assert_eq!(of(serde_json::json!([one, two])), of(serde_json::json!([two, one, two])));
        let version = |version: &str| policy(&serde_json::json!({ "Version": version, "Statement": one }).into());
        assert_eq!(version("2008-10-17"), Ok(of(one.clone())));
        assert_ne!(version("2012-10-17"), Ok(of(one.clone())));
    }

    #[test]
    fn whole_numbers_of_json_are_equal_with_and_without_a_fraction() {
        assert_eq!(json(&r#"{"a":[1.0]}"#.into()), json(&serde_json::json!({ "a": [1] }).into()));
    }
}
