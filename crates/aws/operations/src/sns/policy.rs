//! The default policy of a topic.

use holdfast_core::types::PolicyDocument;

/// Returns the policy that AWS gives to a topic that is created without one
/// (<https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html>).
pub(super) fn default_policy(arn: &str) -> PolicyDocument {
    let account = arn.split(':').nth(4).unwrap_or_default();
    let actions = ["GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic"];
    let actions = actions.into_iter().chain(["Subscribe", "ListSubscriptionsByTopic", "Publish"]);
    PolicyDocument(serde_json::json!({
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

/// True for AWS's default policy. The comparison ignores the actions: AWS has changed their list over the years, but
/// not the principals that have access.
pub(super) fn is_default(policy: &PolicyDocument, arn: &str) -> bool {
    let without_actions = |mut policy: serde_json::Value| {
        if let Some(statement) = policy.pointer_mut("/Statement/0").and_then(|s| s.as_object_mut()) {
            statement.remove("Action");
        }
        policy
    };
    without_actions(policy.0.clone()) == without_actions(default_policy(arn).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_is_recognised_and_an_open_policy_is_not() {
        let arn = "arn:aws:sns:eu-west-1:123456789012:ops";
        let default = default_policy(arn);
        assert!(is_default(&default, arn));
        let mut open = default.clone();
        open.0["Statement"][0].as_object_mut().map(|s| s.remove("Condition"));
        assert!(!is_default(&open, arn));
    }
}
