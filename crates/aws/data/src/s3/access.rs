//! Who may use a bucket: its policy, and the statement in it that lets distributions read.

use std::collections::BTreeSet;

use holdfast_base::names::Distribution;
use holdfast_core::types::{Arn, Late, Policy, Ref};
use serde_json::{Value, json};

/// The distributions that may read a bucket.
pub(super) type Readers = BTreeSet<Late<Ref<Distribution, Arn>>>;

/// The `Sid` of the statement for distributions.
const SID: &str = "HoldfastDistributions";

/// The policy without the statement for distributions, and the distributions. A statement that somebody changed
/// beyond its distributions is part of the policy.
pub(super) fn split(policy: Policy, arn: &str) -> (Option<Policy>, Option<Readers>) {
    let Policy(mut document) = policy;
    let Some(statements) = document.get_mut("Statement").and_then(Value::as_array_mut) else {
        return (Some(Policy(document)), None);
    };
    let readers = statements.iter().find_map(|statement| readers(statement, arn));
    if readers.is_some() {
        statements.retain(|statement| self::readers(statement, arn).is_none());
    }
    let rest = (!statements.is_empty()).then_some(Policy(document));
    (rest, readers)
}

/// The policy with the statement for distributions; none when nobody is let in.
pub(super) fn join(policy: Option<&Policy>, readers: Option<&Readers>, arn: &str) -> Option<Policy> {
    let readers: Vec<&str> = readers.into_iter().flatten().map(|Late(reader)| reader.as_str()).collect();
    let mut document = match policy {
        Some(Policy(document)) => document.clone(),
        None => json!({ "Version": "2012-10-17", "Statement": [] }),
    };
    let mut statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => vec![],
    };
    statements.retain(|statement| statement["Sid"] != SID);
    if !readers.is_empty() {
        statements.push(statement(json!(readers), arn));
    }
    let any = !statements.is_empty();
    document["Statement"] = Value::Array(statements);
    any.then_some(Policy(document))
}

/// The statement of
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html>.
fn statement(readers: Value, arn: &str) -> Value {
    json!({
        "Sid": SID,
        "Effect": "Allow",
        "Principal": { "Service": "cloudfront.amazonaws.com" },
        "Action": "s3:GetObject",
        "Resource": format!("{arn}/*"),
        "Condition": { "StringEquals": { "AWS:SourceArn": readers } },
    })
}

/// The distributions that a statement of ours lets in.
fn readers(there: &Value, arn: &str) -> Option<Readers> {
    let arns = there.pointer("/Condition/StringEquals/AWS:SourceArn")?;
    if *there != statement(arns.clone(), arn) {
        return None;
    }
    let texts = match arns {
        Value::Array(texts) => texts.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?,
        text => vec![text.as_str()?],
    };
    Some(texts.into_iter().map(|text| Late(text.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:s3:::assets";

    #[test]
    fn the_statement_for_distributions_is_no_part_of_the_policy() {
        let stated = Policy(json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "tls", "Effect": "Deny" }] }));
        let wanted: Readers = ["arn:aws:cloudfront::1:distribution/E1"].map(|arn| Late(arn.into())).into();
        let sent = join(Some(&stated), Some(&wanted), ARN).unwrap();
        assert_eq!(split(sent.clone(), ARN), (Some(stated.clone()), Some(wanted.clone())));
        assert_eq!(join(Some(&sent), None, ARN), Some(stated));
        let alone = join(None, Some(&wanted), ARN).unwrap();
        assert_eq!(split(alone.clone(), ARN), (None, Some(wanted)));
        assert_eq!(join(Some(&alone), None, ARN), None);
    }

    #[test]
    fn a_statement_that_somebody_widened_is_part_of_the_policy() {
        let wanted: Readers = ["arn:aws:cloudfront::1:distribution/E1"].map(|arn| Late(arn.into())).into();
        let mut wide = join(None, Some(&wanted), ARN).unwrap();
        wide.0["Statement"][0]["Action"] = json!("s3:*");
        assert_eq!(split(wide.clone(), ARN), (Some(wide), None));
    }
}
