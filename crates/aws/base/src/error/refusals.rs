//! Refusals whose code alone does not say what they mean: the operation and the message decide.
//!
//! The table `facts.json` has the observations of other tools, and `error/tests.rs` checks each of them.

use holdfast_engine::cloud::FailureClass;

use Meaning::{Absent, Class};

/// The meaning of a refusal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Meaning {
    /// The failure has this class.
    Class(FailureClass),
    /// The named resource or setting does not exist.
    Absent,
}

const NOT_YET: Meaning = Class(FailureClass::NotYet);
const IN_USE: Meaning = Class(FailureClass::InUse);

/// Refusals by the beginning of the operation, the code, and a part of the message in lower case. An empty text matches
/// everything. Without another source, the source is `facts.json`.
const REFUSALS: &[(&str, &str, &str, Meaning)] = &[
    // Application Auto Scaling passes on the throttling of the service that it scales.
    ("", "", "rate exceeded", Class(FailureClass::Throttled)),
    // A plan or a rule that still has selections or targets.
    ("backup.DeleteBackupPlan", "", "selections must be deleted prior to", IN_USE),
    ("eventbridge.DeleteRule", "", "since it has targets", IN_USE),
    // AWS Backup answers so for a plan and for a vault that do not exist.
    ("backup.", "InvalidParameterValueException", "cannot find backup plan", Absent),
    ("backup.GetBackupVaultAccessPolicy", "AccessDeniedException", "", Absent),
    ("backup.DescribeBackupVault", "AccessDeniedException", "", Absent),
    ("cloudtrail.GetInsightSelectors", "InsightNotEnabledException", "", Absent),
    // A peering connection that failed, or that the other account rejected, ends by itself.
    ("ec2.DeleteVpcPeeringConnection", "InvalidStateTransition", "", Absent),
    // A route that was deleted a moment ago.
    ("ec2.DeleteRoute", "InvalidParameterException", "", NOT_YET),
    // OpenSearch: a new role, which it cannot use yet.
    ("opensearch.", "", "authentication error", NOT_YET),
    // Features of S3 that a region or partition does not have are not set there.
    ("s3.GetObjectLockConfiguration", "MethodNotAllowed", "", Absent),
    ("s3.GetBucket", "NotImplemented", "", Absent),
    ("secretsmanager.Get", "InvalidRequestException", "was marked for deletion", Absent),
];

/// Parts of messages, in lower case, that say that a dependency is not visible yet, not ready, or still exists. Their codes
/// mean other things too.
const NOT_YET_MESSAGES: &[&str] = &[
    // IAM is eventually consistent, and a role may be new
    // (https://github.com/hashicorp/terraform-provider-aws/issues/29323 for flow logs).
    "unable to assume",
    // The same for a role that a policy names (https://github.com/hashicorp/terraform-provider-aws/pull/12436).
    "invalid principal",
    // The same for a new instance profile of an instance
    // (https://github.com/hashicorp/terraform-provider-aws/issues/838), and for a schedule's role.
    "invalid iam instance profile",
    "has no associated iam roles",
    "must allow aws eventbridge scheduler to assume the role",
    // The same for AWS Backup (https://github.com/hashicorp/terraform-provider-aws/pull/12017) and OpenSearch.
    "cannot be assumed by",
    "is not authorized to call",
    "has not propagated yet",
    // OpenSearch: a name that a deleted domain still holds.
    "still being deleted",
    // The same in Secrets Manager
    // (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency).
    "policy contains an unsupported principal",
    // The same for a new role of Enhanced Monitoring (https://github.com/pulumi/pulumi/issues/5628).
    "required permissions for: enhanced_monitoring",
    // ECS: a target group without a listener, and a name that a deleted service still holds
    // (https://github.com/spinnaker/spinnaker/issues/5476).
    "does not have an associated load balancer",
    "still draining",
    // S3: the destination bucket of a replication, which gets its versioning just after its create
    // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html).
    "destination bucket must have versioning enabled",
    // Route 53: a record set that changed or was deleted between the observation and the batch that deletes it.
    "tried to delete resource record set",
    // The same for Application Auto Scaling, RDS, OpenSearch and ECR.
    "token included in the request is invalid",
    "does not include the required permissions",
    "must be allowed to use the passed role",
    "must authorize amazon opensearch to describe",
    "must be authorised to describe",
    "error setting policy",
    "invalid repository policy provided",
    // A service-linked role that the service is creating.
    "enable a service-linked role",
    // Application Auto Scaling: a service that ECS created a moment ago.
    "ecs service doesn't exist",
    // ECS: a cluster that is being created, and a service that is still deploying.
    "cluster was not active",
    "cannot be stopped while deployments are active",
    // EC2: an instance whose type was changed a moment ago.
    "launchplan instance type does not match attribute value",
    // RDS: a source whose backups were turned on a moment ago.
    "mirroring cannot be applied to instances with backup retention set to zero",
    // S3: a bucket whose versioning was turned on a moment ago.
    "versioning must be 'enabled' on the bucket",
    // Secrets Manager: a name that a deleted secret still holds, and a function whose permission is new.
    "already scheduled for deletion",
    "cannot invoke the specified lambda function",
    // SNS: a subscription that its endpoint has not confirmed.
    "subscription that is pending confirmation",
];

/// Returns the meaning of a refusal, if its operation or its message decides.
pub(super) fn meaning(operation: &str, code: &str, message: &str) -> Option<Meaning> {
    let message = message.to_lowercase();
    let matches = |(of, with, part, _): &&(&str, &str, &str, Meaning)| {
        operation.starts_with(of) && (with.is_empty() || *with == code) && message.contains(part)
    };
    let listed = REFUSALS.iter().find(matches).map(|(.., meaning)| *meaning);
    listed.or_else(|| NOT_YET_MESSAGES.iter().any(|part| message.contains(part)).then_some(NOT_YET))
}
