//! IAM policies: the documents that IAM refuses, as far as the document alone shows it.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use regex::Regex;

use crate::diagnostic::{either, suggest};
use crate::value::Value;

/// The place of a policy: an identity, a role's trust, or a resource. The place decides which elements a statement has,
/// and the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyType {
    /// A managed policy: no principal, at most 6,144 characters.
    Managed,
    /// An inline policy of a role: no principal, at most 10,240 characters.
    Inline,
    /// The trust policy of a role: a principal and no resource, at most 4,096 characters.
    Trust,
    /// The policy of a resource: a principal.
    Resource,
}

/// The keys of a policy.
const DOCUMENT: [&str; 3] = ["Version", "Id", "Statement"];

/// The keys of a statement.
const STATEMENT: [&str; 9] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

/// The versions of the policy language.
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];

impl PolicyType {
    /// Returns the greatest number of characters without white space. The sizes are in
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>; a quota of the trust policy can be
    /// raised to 4,096. Each service has its own size for the policy of a resource.
    fn limit(self) -> Option<usize> {
        match self {
            PolicyType::Managed => Some(6144),
            PolicyType::Inline => Some(10_240),
            PolicyType::Trust => Some(4096),
            PolicyType::Resource => None,
        }
    }

    /// The words for the type.
    pub(crate) fn words(self) -> &'static str {
        match self {
            PolicyType::Managed => "a managed policy",
            PolicyType::Inline => "an inline policy",
            PolicyType::Trust => "a trust policy",
            PolicyType::Resource => "a resource-based policy",
        }
    }
}

/// Returns what IAM refuses in a policy: one sentence for each fault. Parts that are not known yet have no faults.
pub fn lint(policy: &Value, of: PolicyType) -> Vec<String> {
    let Some(document) = policy.map() else { return vec![] };
    let mut faults = vec![];
    for key in document.keys().filter(|key| !DOCUMENT.contains(&key.as_str())) {
        faults.push(unknown("a policy", key, &DOCUMENT));
    }
    if let Some(version) = document.get("Version").and_then(Value::text).filter(|text| !VERSIONS.contains(text)) {
        faults.push(format!("the version of a policy is {}, but this is `{version}`", either(&VERSIONS)));
    }
    let statements = match document.get("Statement") {
        Some(Value::List(statements)) => statements.iter().collect(),
        Some(statement @ Value::Map(_)) => vec![statement],
        _ => vec![],
    };
    for (index, statement) in statements.into_iter().enumerate() {
        let name = match statement.get("Sid").and_then(Value::text) {
            Some(sid) => format!("the statement `{sid}`"),
            None => format!("statement {}", index + 1),
        };
        faults.extend(statement_faults(statement, of).into_iter().map(|fault| format!("{name} {fault}")));
    }
    let size = size(policy);
    if let (Some(limit), Some(size)) = (of.limit(), size)
        && size > limit
    {
        faults.push(format!("{} has at most {limit} characters without white space, but this has {size}", of.words()));
    }
    faults
}

fn unknown(of: &str, key: &str, known: &[&str]) -> String {
    let help = suggest(key, known.iter().copied()).map(|help| format!("; {help}")).unwrap_or_default();
    format!("{of} has no element `{key}`{help}")
}

fn statement_faults(statement: &Value, of: PolicyType) -> Vec<String> {
    let Some(keys) = statement.map() else { return vec![] };
    let has = |key: &str| keys.contains_key(key);
    let mut faults = vec![];
    for key in keys.keys().filter(|key| !STATEMENT.contains(&key.as_str())) {
        let help = suggest(key, STATEMENT).map(|help| format!("; {help}")).unwrap_or_default();
        faults.push(format!("has an unknown element `{key}`{help}"));
    }
    match keys.get("Effect") {
        None => faults.push("needs an `Effect`: `Allow` or `Deny`".to_owned()),
        Some(Value::Text(effect)) if !["Allow", "Deny"].contains(&effect.as_str()) => {
            faults.push(format!("has the effect `{effect}`; the effect is `Allow` or `Deny`, with this spelling"));
        }
        Some(_) => {}
    }
    match (has("Action"), has("NotAction")) {
        (false, false) => faults.push("needs an `Action` or a `NotAction`".to_owned()),
        (true, true) => faults.push("has an `Action` and a `NotAction`; remove one of them".to_owned()),
        _ => {}
    }
    let principal = has("Principal") || has("NotPrincipal");
    let resource = has("Resource") || has("NotResource");
    match of {
        PolicyType::Managed | PolicyType::Inline => {
            if principal {
                faults.push(format!("has a principal; {} applies to whom it is attached to", of.words()));
            }
            if !resource {
                faults.push("needs a `Resource` or a `NotResource`".to_owned());
            }
        }
        PolicyType::Trust => {
            if !principal {
                faults.push("needs a `Principal`: who may assume the role".to_owned());
            }
            if resource {
                faults.push("has a `Resource`; the resource of a trust policy is the role itself".to_owned());
            }
        }
        PolicyType::Resource => {
            if !principal {
                faults.push("needs a `Principal`: to whom it applies".to_owned());
            }
        }
    }
    for key in ["Action", "NotAction"] {
        faults.extend(
            texts(keys.get(key)).find(|text| !is_action(text)).map(|text| {
                format!("has the action `{text}`; an action is `*` or `service:Name`, as in `s3:GetObject`")
            }),
        );
    }
    for key in ["Resource", "NotResource"] {
        faults.extend(
            texts(keys.get(key))
                .find(|text| !is_resource(text))
                .map(|text| format!("has the resource `{text}`; a resource is `*` or an ARN")),
        );
    }
    faults
}

/// Returns the texts of an element that is one text or a list of texts.
fn texts(element: Option<&Value>) -> impl Iterator<Item = &str> {
    let list: Vec<&str> = match element {
        Some(Value::List(list)) => list.iter().filter_map(Value::text).collect(),
        Some(Value::Text(text)) => vec![text],
        _ => vec![],
    };
    list.into_iter()
}

fn is_action(text: &str) -> bool {
    text == "*" || Regex::new(r"^[a-zA-Z0-9-]+:[a-zA-Z0-9*?]+$").is_ok_and(|regex| regex.is_match(text))
}

/// A policy variable may stand anywhere after the first part.
fn is_resource(text: &str) -> bool {
    text == "*"
        || text.starts_with("arn:") && text.split(':').count() >= 6
        || text.starts_with("arn:") && text.ends_with('*')
}

/// Returns the number of characters without white space; none while a part is not known.
fn size(policy: &Value) -> Option<usize> {
    let mut known = true;
    policy.walk(&mut |value| {
        known &= !matches!(value, Value::Reference(_) | Value::Deferred(_) | Value::Unknown(_) | Value::Secret(_));
    });
    known.then(|| policy.json().to_string().chars().filter(|c| !c.is_whitespace()).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(of: PolicyType, statement: serde_json::Value) -> Vec<String> {
        lint(&serde_json::json!({ "Version": "2012-10-17", "Statement": [statement] }).into(), of)
    }

    #[test]
    fn a_policy_that_iam_accepts_has_no_faults() {
        let managed = serde_json::json!({ "Effect": "Allow", "Action": ["s3:Get*", "sqs:*"], "Resource": "*" });
        assert_eq!(faults(PolicyType::Managed, managed), Vec::<String>::new());
        let trust = serde_json::json!({
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "Service": "ec2.amazonaws.com" }
        });
        assert_eq!(faults(PolicyType::Trust, trust), Vec::<String>::new());
        let bucket = serde_json::json!({
            "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::shop-${aws:username}/*"
        });
        assert_eq!(faults(PolicyType::Resource, bucket), Vec::<String>::new());
    }

    #[test]
    fn each_fault_names_its_statement_and_the_way_out() {
        let one = |of, statement| faults(of, statement).join("; ");
        let allow = serde_json::json!({ "Sid": "a", "Effect": "allow", "Action": "*", "Resource": "*" });
        assert_eq!(
            one(PolicyType::Managed, allow),
            "the statement `a` has the effect `allow`; the effect is `Allow` or `Deny`, with this spelling"
        );
        let actions = serde_json::json!({ "Effect": "Allow", "Actions": "s3:GetObject", "Resource": "*" });
        assert_eq!(
            one(PolicyType::Inline, actions),
            "statement 1 has an unknown element `Actions`; did you mean `Action`?; statement 1 needs an `Action` or a \
             `NotAction`"
        );
        let name = serde_json::json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": "bucket" });
        assert_eq!(one(PolicyType::Inline, name), "statement 1 has the resource `bucket`; a resource is `*` or an ARN");
        let open = serde_json::json!({ "Effect": "Allow", "Action": "sts:AssumeRole" });
        assert_eq!(one(PolicyType::Trust, open), "statement 1 needs a `Principal`: who may assume the role");
    }

    #[test]
    fn a_version_and_a_size_of_iam() {
        let version = serde_json::json!({ "Version": "2012-10-18", "Statement": [] }).into();
        assert_eq!(
            lint(&version, PolicyType::Managed),
            ["the version of a policy is `2012-10-17` or `2008-10-17`, but this is `2012-10-18`"]
        );
        let long: Vec<String> = (0..400).map(|i| format!("arn:aws:s3:::bucket-{i}")).collect();
        let statement = serde_json::json!({ "Effect": "Allow", "Action": "s3:GetObject", "Resource": long });
        assert_eq!(faults(PolicyType::Managed, statement.clone()).len(), 1);
        assert_eq!(faults(PolicyType::Inline, statement).len(), 1);
    }
}
