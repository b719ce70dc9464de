//! The policy that a topic has without one.

use holdfast_core::types::Policy;

/// The policy that AWS gives a topic made without one
/// (<https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html>).
pub(super) fn default_policy(arn: &str) -> Policy {
    let account = arn.split(':').nth(4).unwrap_or_default();
    let actions = ["GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic"];
    let actions = actions.into_iter().chain(["Subscribe", "ListSubscriptionsByTopic", "Publish"]);
    Policy(serde_json::json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": actions.map(|action| format!("SNS:{action}")).collect::<Vec<_>>(),
            "Resource": arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": account } },
        }],
    }))
}

/// True for AWS's default policy. Which actions it lists has changed over the years; who may has not.
pub(super) fn is_default(policy: &Policy, arn: &str) -> bool {
    let plain = |mut policy: serde_json::Value| {
        if let Some(statement) = policy.pointer_mut("/Statement/0").and_then(|s| s.as_object_mut()) {
            statement.remove("Action");
        }
        policy
    };
    plain(policy.0.clone()) == plain(default_policy(arn).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_is_known_and_an_open_one_is_not_it() {
        let arn = "arn:aws:sns:eu-west-1:123456789012:ops";
        let default = default_policy(arn);
        assert!(is_default(&default, arn));
        let mut open = default.clone();
        open.0["Statement"][0].as_object_mut().map(|s| s.remove("Condition"));
        assert!(!is_default(&open, arn));
    }
}
