//! The classes of errors, by list, by form, and by the facts of other tools.

use super::*;

#[test]
fn names_the_operation_by_its_error_type() {
    assert_eq!(operation_of("aws_sdk_ec2::operation::create_vpc::CreateVpcError"), "ec2.CreateVpc");
}

/// The patterns of [`is_absent`] and [`already_exists`] are not lists: they stand for every code of that form.
#[test]
fn every_listed_code_is_listed_once_and_has_the_class_of_its_list() {
    let lists = [
        (THROTTLED, FailureClass::Throttled),
        (IN_USE, FailureClass::InUse),
        (NOT_YET, FailureClass::NotYet),
        (TRANSIENT, FailureClass::Transient),
    ];
    for (codes, class) in lists {
        assert!(codes.is_sorted(), "the codes of {class:?} are not sorted");
        for code in codes {
            // The code alone decides, whatever the HTTP status says.
            let classes = [400, 409, 429, 500, 503].map(|status| classify(Some(code), status));
            assert_eq!(classes, [class; 5], "{code}");
            assert!(!is_absent(code) && !already_exists(code), "{code} is listed, and a pattern matches it too");
        }
    }
    let codes: Vec<_> = lists.iter().flat_map(|(codes, _)| *codes).collect();
    let distinct: std::collections::BTreeSet<_> = codes.iter().collect();
    assert_eq!(distinct.len(), codes.len(), "a code is listed twice");
}

#[test]
fn unlisted_codes_are_classified_by_their_form_and_then_by_the_status() {
    use FailureClass::{NotYet, Terminal, Throttled, Transient};
    for (code, status, class) in [
        // The resource does not exist, or not yet.
        (Some("InvalidVpcID.NotFound"), 400, NotYet),
        (Some("ResourceNotFoundException"), 404, NotYet),
        (Some("DBProxyNotFoundFault"), 404, NotYet),
        (Some("DBInstanceNotFoundError"), 404, NotYet),
        (Some("NoSuchEntity"), 404, NotYet),
        (Some("NoSuchOrigin"), 404, Terminal),
        (Some("AWS.SimpleQueueService.NonExistentQueue"), 400, NotYet),
        (Some("QueueDoesNotExist"), 400, NotYet),
        (Some("WAFNonexistentItemException"), 400, NotYet),
        // The resource already exists.
        (Some("RouteAlreadyExists"), 400, NotYet),
        (Some("EntityAlreadyExists"), 409, NotYet),
        (Some("InvalidPermission.Duplicate"), 400, NotYet),
        (Some("ResourceExistsException"), 400, NotYet),
        (Some("BucketAlreadyOwnedByYou"), 409, NotYet),
        (Some("BucketAlreadyExists"), 409, Terminal),
        // Other codes, and responses without a code.
        (Some("InvalidParameterValue"), 400, Terminal),
        (Some("InvalidParameterValue"), 429, Throttled),
        (Some("InvalidParameterValue"), 500, Transient),
        (Some("NotImplemented"), 501, Terminal),
        (None, 429, Throttled),
        (None, 503, Transient),
        (None, 501, Terminal),
        (None, 403, Terminal),
    ] {
        assert_eq!(classify(code, status), class, "{code:?} with HTTP status {status}");
    }
}

#[test]
fn a_new_role_cannot_be_assumed_yet() {
    let refused = |message| Error::refused("ec2.CreateFlowLogs", "InvalidParameter", message).0.class;
    assert_eq!(refused("Unable to assume given IAM role: 'arn:aws:iam::1:role/flow'"), FailureClass::NotYet);
    assert_eq!(refused("LogDestination: bucket does not exist"), FailureClass::Terminal);
}

/// A refusal that another tool saw, and its meaning.
#[derive(serde::Deserialize)]
struct Fact {
    service: String,
    operation: String,
    code: String,
    message: String,
    status: u16,
    means: String,
}

/// Returns the crate's name of a service.
fn service(name: &str) -> String {
    match name {
        "application-autoscaling" => "applicationautoscaling".into(),
        "elbv2" => "elasticloadbalancingv2".into(),
        "events" => "eventbridge".into(),
        "logs" => "cloudwatchlogs".into(),
        other => other.into(),
    }
}

/// `facts.json` lists refusals that terraform-provider-aws v3.49 handles. `passes`: a later attempt can succeed. `absent`:
/// the resource or setting does not exist.
#[test]
fn the_facts_of_other_tools_have_their_meaning() {
    let facts: Vec<Fact> = serde_json::from_str(include_str!("facts.json")).expect("the facts are JSON");
    let mut wrong = vec![];
    for Fact { service: of, operation: operations, code, message, status, means } in &facts {
        for name in operations.split(", ") {
            let operation = format!("{}.{}", service(of), name.split(['*', ' ']).next().unwrap_or_default());
            let class = class(&operation, Some(code), message, *status);
            let failure = Failure { class, code: Some(code.clone()), ..Failure::terminal(&operation, message) };
            let (is_absent, class) = (Error(failure).is_absent(), class);
            let is_right = match means.as_str() {
                "absent" => is_absent,
                _ => class != FailureClass::Terminal,
            };
            if !is_right {
                wrong.push(format!("{operation} {code} {message:?}: {means}, not {class:?}"));
            }
        }
    }
    assert_eq!((facts.len(), wrong), (120, vec![]));
}

#[test]
fn a_missing_permission_is_not_absence() {
    let refused = |operation: &str| Error::refused(operation, "AccessDeniedException", "no").is_absent();
    assert!(refused("backup.DescribeBackupVault"));
    assert!(!refused("ecr.GetRepositoryPolicy") && !refused("backup.ListBackupVaults"));
}
