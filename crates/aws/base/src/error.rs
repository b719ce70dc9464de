//! The meaning of AWS's error codes, for all kinds. No kind interprets an error code itself.

mod refusals;

use std::error::Error as StdError;

use aws_smithy_runtime_api::client::result::{DispatchFailure, SdkError};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::{ErrorMetadata, ProvideErrorMetadata};
use aws_smithy_types::error::operation::BuildError;
use holdfast_engine::cloud::{Failure, FailureClass};
use holdfast_engine::lease::LeaseLost;

use crate::plain::without_secrets;
use refusals::{Meaning, meaning};

/// The failure of a call, for use with `?` in kinds.
#[derive(Debug)]
pub struct Error(pub Failure);

/// The result of a kind's calls.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A response that lacks a field that AWS documents as always present.
    pub fn incomplete(operation: &str, what: &str) -> Error {
        Error(Failure {
            class: FailureClass::Transient,
            ..Failure::terminal(operation, format!("the response has no {what}"))
        })
    }

    /// A failure that no retry can fix.
    pub fn terminal(operation: &str, message: impl Into<String>) -> Error {
        Error(Failure::terminal(operation, message))
    }

    /// A refusal inside a response with a success status (partial failures of batch calls).
    pub fn refused(operation: &str, code: &str, message: impl Into<String>) -> Error {
        let message = message.into();
        let class = class(operation, Some(code), &message, 400);
        Error(Failure { class, code: Some(code.into()), ..Failure::terminal(operation, message) })
    }

    /// A dependency is not ready yet; the step is retried.
    pub fn not_yet(operation: &str, message: impl Into<String>) -> Error {
        Error(Failure::not_yet(operation, message))
    }

    /// True when AWS says that the named resource does not exist.
    pub(crate) fn is_absent(&self) -> bool {
        let Failure { operation, code, message, .. } = &self.0;
        code.as_deref().is_some_and(|code| match meaning(operation, code, message) {
            Some(meaning) => meaning == Meaning::Absent,
            None => is_absent(code),
        })
    }
}

/// Turns "does not exist" into `None`.
pub trait OrAbsent<T> {
    /// Returns `None` when AWS says that the named resource does not exist.
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

/// Hundreds of operations have error types of their own; the code that all of them share is compiled once.
impl<E: ProvideErrorMetadata> From<SdkError<E, Response>> for Error {
    fn from(error: SdkError<E, Response>) -> Error {
        let error = error.map_service_error(|error| error.meta().clone());
        Error::from_metadata(std::any::type_name::<E>(), &error)
    }
}

impl Error {
    /// The error of the operation whose error type has this name.
    fn from_metadata(type_name: &str, error: &SdkError<ErrorMetadata, Response>) -> Error {
        let operation = operation_of(type_name);
        let failure = match error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let code = service.err().code().map(str::to_owned);
                let message = service.err().message().map(str::to_owned);
                let class = class(&operation, code.as_deref(), message.as_deref().unwrap_or_default(), status);
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
                // A 5xx response can arrive after the call took effect.
                Failure {
                    class,
                    ambiguous: status >= 500 && class != FailureClass::Throttled && status != 501,
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
                let class =
                    if credentials || dispatch.is_user() { FailureClass::Terminal } else { FailureClass::Transient };
                let is_sent = !credentials && !is_refused_by_gate(dispatch);
                Failure { class, ambiguous: is_sent, operation, code: None, message: text }
            }
            _ => Failure {
                class: FailureClass::Transient,
                ambiguous: true,
                operation,
                code: None,
                message: chain(error),
            },
        };
        Error(Failure { message: without_secrets(failure.message), ..failure })
    }
}

/// True when the lease did not permit the call, so it was not sent.
fn is_refused_by_gate(failure: &DispatchFailure) -> bool {
    let source = failure.as_connector_error().and_then(StdError::source);
    source.is_some_and(|source| source.is::<LeaseLost>())
}

/// A request builder that misses a required field. The types of the specs should prevent this.
impl From<BuildError> for Error {
    fn from(error: BuildError) -> Error {
        Error(Failure::terminal("request", chain(&error)))
    }
}

/// The name of an operation from its error type: `aws_sdk_ec2::operation::create_vpc::CreateVpcError` is `ec2.CreateVpc`.
fn operation_of(type_name: &str) -> String {
    let service = type_name.trim_start_matches("aws_sdk_").split("::").next().unwrap_or_default();
    let operation = type_name.rsplit("::").next().unwrap_or_default().trim_end_matches("Error");
    format!("{service}.{operation}")
}

/// The error and its causes in one line, without repetitions.
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

/// Codes of throttled calls.
const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Codes of refusals because another resource uses the resource, contains it or is contained in it.
const IN_USE: &[&str] = &[
    "CachePolicyInUse",
    "CacheSubnetGroupInUse",
    "ClusterContainsContainerInstancesException",
    "ClusterContainsServicesException",
    "ClusterContainsTasksException",
    "DeleteConflict",
    "DependencyViolation",
    "HealthCheckInUse",
    "HostedZoneNotEmpty",
    "InvalidCacheParameterGroupState",
    "InvalidDBParameterGroupState",
    "InvalidDBSubnetGroupStateFault",
    "InvalidGroup.InUse",
    "InvalidIPAddress.InUse",
    "OperationNotPermitted.InUse",
    "OriginAccessControlInUse",
    "OriginRequestPolicyInUse",
    "ResourceInUse",
    "ResourceInUseException",
    "ResponseHeadersPolicyInUse",
    "WAFAssociatedItemException",
];

/// Codes of refusals that time resolves: AWS is changing the resource, or a read lags behind.
const NOT_YET: &[&str] = &[
    // SQS: a name is free 60 seconds after its queue was deleted, with the code of either protocol
    // (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html).
    "AWS.SimpleQueueService.QueueDeletedRecently",
    "ConcurrentAccess",
    "ConcurrentModification",
    "ConcurrentModificationException",
    "ConcurrentUpdateException",
    "ConflictException",
    "DistributionNotDisabled",
    "EntityTemporarilyUnmodifiable",
    "FailedResourceAccessException",
    "Gateway.NotAttached",
    "HealthCheckVersionMismatch",
    "IncorrectInstanceState",
    "IncorrectModificationState",
    "IncorrectState",
    // CloudTrail: the bucket policy, the key policy or the role may be too new to be visible.
    "InsufficientEncryptionPolicyException",
    "InsufficientS3BucketPolicyException",
    "InvalidCacheClusterState",
    // CloudTrail again.
    "InvalidCloudWatchLogsLogGroupArnException",
    "InvalidCloudWatchLogsRoleArnException",
    // RDS: a resource that is being created, modified or backed up, or a group that a database still uses.
    "InvalidDBInstanceAutomatedBackupState",
    "InvalidDBInstanceState",
    "InvalidDBInstanceStateFault",
    "InvalidDBProxyStateFault",
    "InvalidIfMatchVersion",
    "InvalidReplicationGroupState",
    "InvalidViewerCertificate",
    "KMSInvalidStateException",
    "OperationAborted",
    "OperationInProgress",
    "PreconditionFailed",
    "PriorityInUse",
    "QueueDeletedRecently",
    "QueueNameExists",
    "RequestInProgressException",
    "Resource.AlreadyAssociated",
    "ResourceNotReady",
    "TooManyUpdates",
    "UpdateInProgressException",
    "WAFOptimisticLockException",
    "WAFServiceLinkedRoleErrorException",
    "WAFTagOperationException",
    "WAFUnavailableEntityException",
];

/// Codes of failures inside AWS.
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

/// Classifies an error by its operation, code, message and HTTP status.
fn class(operation: &str, code: Option<&str>, message: &str, status: u16) -> FailureClass {
    match meaning(operation, code.unwrap_or_default(), message) {
        Some(Meaning::Class(class)) => class,
        Some(Meaning::Absent) => FailureClass::NotYet,
        None => classify(code, status),
    }
}

/// Classifies an error by its code and HTTP status. The lists follow each service's "common errors" and error pages in its
/// API reference; EC2's are at <https://docs.aws.amazon.com/ec2/latest/devguide/errors-overview.html>.
fn classify(code: Option<&str>, status: u16) -> FailureClass {
    match code {
        Some(code) if THROTTLED.contains(&code) => FailureClass::Throttled,
        Some(code) if IN_USE.contains(&code) => FailureClass::InUse,
        Some(code) if NOT_YET.contains(&code) || is_absent(code) || already_exists(code) => FailureClass::NotYet,
        Some(code) if TRANSIENT.contains(&code) => FailureClass::Transient,
        _ if status == 429 => FailureClass::Throttled,
        _ if status >= 500 && status != 501 => FailureClass::Transient,
        _ => FailureClass::Terminal,
    }
}

/// True when a code says that the resource already exists: from our own attempt that is not visible yet, or from another
/// owner. The next observation decides.
fn already_exists(code: &str) -> bool {
    // A bucket of another account never becomes visible to an observation.
    const CODES: &[&str] = &["AlreadyExist", "AlreadyOwnedByYou", "Duplicate", "ResourceExistsException"];
    code != "BucketAlreadyExists" && CODES.iter().any(|word| code.contains(word))
}

/// The way out of a refusal, where the message of AWS does not say it.
fn way_out(code: &str) -> Option<&'static str> {
    match code {
        "BucketAlreadyExists" => Some(
            "another account has a bucket with this name: state a `name` that is unique to you, such as \
             `${env.stack}-${env.name}-assets-${env.account}`",
        ),
        "BucketNotEmpty" => Some("empty the bucket, or state `emptyOnDelete: true` and reconcile before you delete it"),
        _ => None,
    }
}

/// True when a code says that the named resource does not exist.
fn is_absent(code: &str) -> bool {
    code.ends_with("NotFound")
        || code.ends_with("NotFoundException")
        || code.ends_with("NotFoundFault")
        || code.ends_with("NotFoundError")
        || code.ends_with("NonExistentQueue")
        // IAM, S3, Route 53 and CloudFront. NoSuchOrigin is a mistake in the distribution itself.
        || (code.starts_with("NoSuch") && code != "NoSuchOrigin")
        || matches!(code, "QueueDoesNotExist" | "WAFNonexistentItemException")
}

#[cfg(test)]
mod tests;
