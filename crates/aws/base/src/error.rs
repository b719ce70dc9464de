//! What AWS's error codes mean. No kind decides that; all of it is here.

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_smithy_types::error::operation::BuildError;
use holdfast_engine::cloud::{Class, Failure};

use crate::vault::without_secrets;

/// A failed call, as kinds pass it on with `?`.
#[derive(Debug)]
pub struct Error(pub Failure);

/// What a kind's calls return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An answer of AWS that lacks what its documentation promises.
    pub fn incomplete(operation: &str, what: &str) -> Error {
        Error(Failure { class: Class::Transient, ..Failure::terminal(operation, format!("the answer has no {what}")) })
    }

    /// Something that this kind cannot do, whatever AWS says.
    pub fn terminal(operation: &str, message: impl Into<String>) -> Error {
        Error(Failure::terminal(operation, message))
    }

    /// What AWS refused inside an answer that is itself a success.
    pub fn refused(operation: &str, code: &str, message: impl Into<String>) -> Error {
        let message = message.into();
        let class = if is_early(&message) { Class::NotYet } else { classify(Some(code), 400) };
        Error(Failure { class, code: Some(code.into()), ..Failure::terminal(operation, message) })
    }

    /// Something is missing for now.
    pub fn not_yet(operation: &str, message: impl Into<String>) -> Error {
        Error(Failure::not_yet(operation, message))
    }

    /// True when AWS says that what was named does not exist.
    pub(crate) fn is_absent(&self) -> bool {
        self.0.code.as_deref().is_some_and(is_absent)
    }
}

/// Turns "does not exist" into `None`.
pub trait OrAbsent<T> {
    /// `None` when AWS says that what was named does not exist.
    fn or_absent(self) -> Result<Option<T>>;
}

impl<T, E: Into<Error>> OrAbsent<T> for std::result::Result<T, E> {
    fn or_absent(self) -> Result<Option<T>> {
        match self.map_err(Into::into) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Hundreds of operations have errors of their own: what is said of all of them is compiled once.
impl<E: ProvideErrorMetadata> From<SdkError<E, Response>> for Error {
    fn from(error: SdkError<E, Response>) -> Error {
        let told = error.map_service_error(|error| error.meta().clone());
        Error::told(std::any::type_name::<E>(), &told)
    }
}

impl Error {
    /// What came of the operation whose errors have this type's name.
    fn told(type_name: &str, error: &SdkError<ErrorMetadata, Response>) -> Error {
        let operation = operation_of(type_name);
        let failure = match error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let code = service.err().code().map(str::to_owned);
                let message = service.err().message().map(str::to_owned);
                let class = match &message {
                    Some(message) if is_early(message) => Class::NotYet,
                    _ => classify(code.as_deref(), status),
                };
                let message = match (&code, message) {
                    (_, Some(message)) => message,
                    (Some(_), None) => format!("refused with HTTP status {status}"),
                    (None, None) if status == 501 || status == 404 => {
                        format!("the endpoint does not know this operation (HTTP status {status}); is it an emulator?")
                    }
                    (None, None) => format!("refused with HTTP status {status} and no error code"),
                };
                let message = match code.as_deref().and_then(way_out) {
                    Some(way_out) => format!("{message}; {way_out}"),
                    None => message,
                };
                // A 5xx can come after the effect.
                Failure {
                    class,
                    ambiguous: status >= 500 && class != Class::Throttled && status != 501,
                    operation,
                    code,
                    message,
                }
            }
            SdkError::ConstructionFailure(_) => Failure::terminal(&operation, chain(error)),
            // The connection may have broken before or after the request arrived.
            SdkError::DispatchFailure(dispatch) => {
                let text = chain(error);
                let credentials = text.to_lowercase().contains("credential");
                let class = if credentials || dispatch.is_user() { Class::Terminal } else { Class::Transient };
                Failure { class, ambiguous: !credentials, operation, code: None, message: text }
            }
            _ => Failure { class: Class::Transient, ambiguous: true, operation, code: None, message: chain(error) },
        };
        Error(Failure { message: without_secrets(failure.message), ..failure })
    }
}

/// A part of a request that lacks what its builder wants: the spec's types should not let it happen.
impl From<BuildError> for Error {
    fn from(error: BuildError) -> Error {
        Error(Failure::terminal("request", chain(&error)))
    }
}

/// `aws_sdk_ec2::operation::create_vpc::CreateVpcError` is `ec2.CreateVpc`.
fn operation_of(type_name: &str) -> String {
    let service = type_name.trim_start_matches("aws_sdk_").split("::").next().unwrap_or_default();
    let operation = type_name.rsplit("::").next().unwrap_or_default().trim_end_matches("Error");
    format!("{service}.{operation}")
}

/// The error and its causes in one line, each said once.
fn chain(error: &dyn StdError) -> String {
    let mut parts: Vec<String> = vec![];
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|p| p.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

/// What a code and status mean. The lists follow each service's "common errors" and error pages in its
/// API reference; EC2's are at <https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html>.
fn classify(code: Option<&str>, status: u16) -> Class {
    const THROTTLED: &[&str] = &[
        "BandwidthLimitExceeded",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "EC2ThrottledException",
    ];
    // In use, or not there yet: dependants go first, or the other side's read lags behind its write.
    const NOT_YET: &[&str] = &[
        "CacheSubnetGroupInUse",
        "CachePolicyInUse",
        "ClusterContainsServicesException",
        "ClusterContainsTasksException",
        "ConcurrentAccess",
        "ConcurrentModification",
        "ConcurrentModificationException",
        "ConcurrentUpdateException",
        "ConflictException",
        "DeleteConflict",
        "DependencyViolation",
        "DistributionNotDisabled",
        "EntityTemporarilyUnmodifiable",
        "Gateway.NotAttached",
        "IncorrectInstanceState",
        "IncorrectModificationState",
        "HealthCheckInUse",
        "HealthCheckVersionMismatch",
        "HostedZoneNotEmpty",
        "IncorrectState",
        // RDS: being made, changed or backed up; a group that a database is still in.
        "InvalidDBInstanceAutomatedBackupState",
        "InvalidDBInstanceState",
        "InvalidDBInstanceStateFault",
        "InvalidDBParameterGroupState",
        "InvalidDBProxyStateFault",
        "InvalidDBSubnetGroupStateFault",
        "InvalidCacheClusterState",
        "InvalidCacheParameterGroupState",
        // CloudTrail: the bucket's policy, the key's policy or the role may be so new that it is not seen yet.
        "InsufficientEncryptionPolicyException",
        "InsufficientS3BucketPolicyException",
        "InvalidCloudWatchLogsLogGroupArnException",
        "InvalidCloudWatchLogsRoleArnException",
        "InvalidGroup.InUse",
        "InvalidIPAddress.InUse",
        "InvalidIfMatchVersion",
        "InvalidPermission.Duplicate",
        "InvalidReplicationGroupState",
        "KMSInvalidStateException",
        "OperationAborted",
        "OperationInProgress",
        "OperationNotPermitted.InUse",
        "PriorityInUse",
        // SQS: a name is free 60 seconds after its queue was deleted, with the code of either protocol
        // (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
        "AWS.SimpleQueueService.QueueDeletedRecently",
        "QueueDeletedRecently",
        "QueueNameExists",
        "OriginAccessControlInUse",
        "OriginRequestPolicyInUse",
        "PreconditionFailed",
        "RequestInProgressException",
        "Resource.AlreadyAssociated",
        "ResourceInUse",
        "ResourceInUseException",
        "ResourceNotReady",
        "ResponseHeadersPolicyInUse",
        "RouteAlreadyExists",
        "TooManyUpdates",
        "UpdateInProgressException",
        "WAFAssociatedItemException",
        "WAFOptimisticLockException",
        "WAFUnavailableEntityException",
    ];
    const TRANSIENT: &[&str] = &[
        "DependencyTimeoutException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "ServerException",
        "ServiceException",
        "ServiceFailure",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Unavailable",
    ];
    match code {
        Some(code) if THROTTLED.contains(&code) => Class::Throttled,
        Some(code) if NOT_YET.contains(&code) || is_absent(code) || is_there(code) => Class::NotYet,
        Some(code) if TRANSIENT.contains(&code) => Class::Transient,
        _ if status == 429 => Class::Throttled,
        _ if status >= 500 && status != 501 => Class::Transient,
        _ => Class::Terminal,
    }
}

/// True when a refusal that has no code of its own says that something is not there yet, or still is.
fn is_early(message: &str) -> bool {
    const EARLY: &[&str] = &[
        // IAM is eventually consistent, and a role may be new
        // (https://github.com/hashicorp/terraform-provider-aws/issues/29323 for flow logs).
        "unable to assume",
        // The same for a role that a policy names (https://github.com/hashicorp/terraform-provider-aws/pull/12436).
        "invalid principal",
        // The same for a profile that an instance is to have
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
        // Secrets Manager's words for it
        // (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency).
        "policy contains an unsupported principal",
        // The same for a new role of Enhanced Monitoring (https://github.com/pulumi/pulumi/issues/5628).
        "required permissions for: enhanced_monitoring",
        // ECS: a target group without a listener, and a name that a deleted service still holds
        // (https://github.com/spinnaker/spinnaker/issues/5476).
        "does not have an associated load balancer",
        "still draining",
        // S3: the other end of a replication, which gets its versioning just after it is made
        // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-requirements.html).
        "destination bucket must have versioning enabled",
        // Route 53: a record set that changed or went between the look and the batch that deletes it.
        "tried to delete resource record set",
    ];
    let message = message.to_lowercase();
    EARLY.iter().any(|text| message.contains(text))
}

/// True when a code says that there is one already: ours from an attempt whose effect is not visible yet, or
/// somebody else's. The next look tells.
fn is_there(code: &str) -> bool {
    // Another account's bucket never becomes visible: no look would tell.
    const THERE: &[&str] = &["AlreadyExist", "AlreadyOwnedByYou", "Duplicate", "ResourceExistsException"];
    code != "BucketAlreadyExists" && THERE.iter().any(|word| code.contains(word))
}

/// What a person can do about a refusal whose message does not say it.
fn way_out(code: &str) -> Option<&'static str> {
    match code {
        "BucketAlreadyExists" => Some(
            "another account has a bucket of that name: state a `name` with something of yours in it, such as \
             `${env.stack}-${env.name}-assets-${env.account}`",
        ),
        "BucketNotEmpty" => Some("empty it, or state `emptyOnDelete: true` and reconcile before it goes"),
        _ => None,
    }
}

/// True when a code says that what was named does not exist.
fn is_absent(code: &str) -> bool {
    code.ends_with("NotFound")
        || code.ends_with("NotFoundException")
        || code.ends_with("NotFoundFault")
        || code.ends_with("NotFoundError")
        || code.ends_with("NonExistentQueue")
        // Of IAM, S3, Route 53 and CloudFront. A distribution that names no origin of its own is a mistake in it.
        || (code.starts_with("NoSuch") && code != "NoSuchOrigin")
        || matches!(code, "NatGatewayNotFound" | "QueueDoesNotExist" | "WAFNonexistentItemException")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_operation_by_its_error_type() {
        assert_eq!(operation_of("aws_sdk_ec2::operation::create_vpc::CreateVpcError"), "ec2.CreateVpc");
    }

    #[test]
    fn codes_have_one_meaning() {
        assert_eq!(classify(Some("RequestLimitExceeded"), 503), Class::Throttled);
        assert_eq!(classify(Some("DependencyViolation"), 400), Class::NotYet);
        assert_eq!(classify(Some("InvalidVpcID.NotFound"), 400), Class::NotYet);
        assert_eq!(classify(Some("RouteAlreadyExists"), 400), Class::NotYet);
        assert_eq!(classify(Some("InternalFailure"), 500), Class::Transient);
        assert_eq!(classify(Some("BucketAlreadyExists"), 409), Class::Terminal);
        assert_eq!(classify(Some("BucketAlreadyOwnedByYou"), 409), Class::NotYet);
        assert_eq!(classify(Some("QueueDeletedRecently"), 400), Class::NotYet);
        assert_eq!(classify(Some("NotImplemented"), 501), Class::Terminal);
        assert_eq!(classify(Some("InvalidParameterValue"), 400), Class::Terminal);
    }

    #[test]
    fn a_new_role_cannot_be_assumed_yet() {
        let refused = |message| Error::refused("ec2.CreateFlowLogs", "InvalidParameter", message).0.class;
        assert_eq!(refused("Unable to assume given IAM role: 'arn:aws:iam::1:role/flow'"), Class::NotYet);
        assert_eq!(refused("LogDestination: bucket does not exist"), Class::Terminal);
    }
}
