//! Access to a bucket: its policy, and the statement in it that lets distributions read.

use std::collections::BTreeSet;

use holdfast_base::names::Distribution;
use holdfast_core::types::{AfterCreate, Arn, PolicyDocument, Ref};
use serde_json::{Value, json};

/// The distributions that may read a bucket.
pub(super) type Readers = BTreeSet<AfterCreate<Ref<Distribution, Arn>>>;

/// The `Sid` of the statement for distributions.
const SID: &str = "HoldfastDistributions";

/// Splits a policy into the policy without the statement for distributions, and the distributions of that statement. A
/// statement with changes beyond its distributions is part of the policy.
pub(super) fn split(policy: PolicyDocument, arn: &str) -> (Option<PolicyDocument>, Option<Readers>) {
    let PolicyDocument(mut document) = policy;
    let Some(statements) = document.get_mut("Statement").and_then(Value::as_array_mut) else {
        return (Some(PolicyDocument(document)), None);
    };
    let readers = statements.iter().find_map(|statement| readers(statement, arn));
    if readers.is_some() {
        statements.retain(|statement| self::readers(statement, arn).is_none());
    }
    let rest = (!statements.is_empty()).then_some(PolicyDocument(document));
    (rest, readers)
}

/// Returns the policy with the statement for distributions; none when the policy has no statement.
pub(super) fn join(policy: Option<&PolicyDocument>, readers: Option<&Readers>, arn: &str) -> Option<PolicyDocument> {
    let readers: Vec<&str> = readers.into_iter().flatten().map(|AfterCreate(reader)| reader.as_str()).collect();
    let mut document = match policy {
        Some(PolicyDocument(document)) => document.clone(),
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
    any.then_some(PolicyDocument(document))
}

/// Builds the statement that lets distributions read
/// (<https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html>).
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

/// Returns the distributions of a statement; none when it is not the statement of [`statement`].
fn readers(live: &Value, arn: &str) -> Option<Readers> {
    let arns = live.pointer("/Condition/StringEquals/AWS:SourceArn")?;
    if *live != statement(arns.clone(), arn) {
        return None;
    }
    let texts = match arns {
        Value::Array(texts) => texts.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?,
        text => vec![text.as_str()?],
    };
    Some(texts.into_iter().map(|text| AfterCreate(text.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:s3:::assets";

    #[test]
    fn the_statement_for_distributions_is_not_part_of_the_policy() {
        let stated =
            PolicyDocument(json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "tls", "Effect": "Deny" }] }));
        let desired: Readers = ["arn:aws:cloudfront::1:distribution/E1"].map(|arn| AfterCreate(arn.into())).into();
        let sent = join(Some(&stated), Some(&desired), ARN).unwrap();
        assert_eq!(split(sent.clone(), ARN), (Some(stated.clone()), Some(desired.clone())));
        assert_eq!(join(Some(&sent), None, ARN), Some(stated));
        let distributions_only = join(None, Some(&desired), ARN).unwrap();
        assert_eq!(split(distributions_only.clone(), ARN), (None, Some(desired)));
        assert_eq!(join(Some(&distributions_only), None, ARN), None);
    }

    #[test]
    fn a_manually_widened_statement_is_part_of_the_policy() {
        let desired: Readers = ["arn:aws:cloudfront::1:distribution/E1"].map(|arn| AfterCreate(arn.into())).into();
        let mut wide = join(None, Some(&desired), ARN).unwrap();
        wide.0["Statement"][0]["Action"] = json!("s3:*");
        assert_eq!(split(wide.clone(), ARN), (Some(wide), None));
    }
}
