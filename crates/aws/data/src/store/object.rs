//! An object of the store, with conditional reads and writes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::{BoxError, ProvideErrorMetadata};
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_sdk_s3::types::ServerSideEncryption;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent};

use super::S3Location;
use crate::s3::s3;

/// An object of the store.
pub(super) struct Object {
    aws: Arc<Aws>,
    bucket: String,
    key: String,
    kms_key_id: Option<String>,
}

/// The content of an object.
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) e_tag: String,
    /// The time since the object was written, by the clock of S3.
    pub(super) age: Duration,
}

/// The result of a conditional write.
pub(super) enum Written {
    /// The object was written, and has this entity tag.
    Done(String),
    /// The object is not the expected one, so it was not written.
    Changed,
}

impl Object {
    pub(super) fn new(aws: Arc<Aws>, location: &S3Location, name: &str) -> Object {
        let S3Location { bucket, prefix, kms_key_id, .. } = location.clone();
        Object { aws, bucket, key: format!("{prefix}{name}"), kms_key_id }
    }

    /// Returns an error that names the object.
    pub(super) fn error(&self, error: impl std::fmt::Display) -> io::Error {
        io::Error::other(format!("s3://{}/{}: {error}", self.bucket, self.key))
    }

    fn failure(&self, error: impl Into<Error>) -> io::Error {
        let failure = error.into().0;
        // https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html#ErrorCodeList
        match failure.code.as_deref() {
            Some("PermanentRedirect" | "AuthorizationHeaderMalformed") => {
                self.error(format!("{failure}; if the bucket is in another region, add `?region=REGION` to the store"))
            }
            _ => self.error(failure),
        }
    }

    /// Reads the object, or returns `None` when it does not exist.
    ///
    /// # Errors
    /// When it cannot be read. Without `s3:ListBucket`, S3 refuses to say that an object does not exist
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>).
    pub(super) async fn get(&self) -> io::Result<Option<Content>> {
        let date = ServerDate::default();
        let request = s3(&self.aws).get_object().bucket(&self.bucket).key(&self.key);
        let sent = request.customize().interceptor(date.clone()).send().await;
        if sent.as_ref().is_err_and(|error| error.code() == Some("NoSuchBucket")) {
            return Err(self.error("the bucket does not exist; create it first"));
        }
        let Some(output) = sent.or_absent().map_err(|error| self.failure(error))? else { return Ok(None) };
        let (Some(e_tag), Some(modified)) = (output.e_tag.clone(), output.last_modified) else {
            return Err(self.error("the response has no ETag or Last-Modified"));
        };
        let now = date.get().unwrap_or_else(|| DateTime::from(SystemTime::now()));
        let age = Duration::from_secs(u64::try_from(now.secs() - modified.secs()).unwrap_or(0));
        let bytes = output.body.collect().await.map_err(|error| self.error(error))?.to_vec();
        Ok(Some(Content { bytes, e_tag, age }))
    }

    /// Writes the object if it has the expected entity tag, or if it does not exist and none is expected.
    ///
    /// # Errors
    /// When it cannot be written. The write may have had its effect nevertheless.
    pub(super) async fn put(&self, bytes: Vec<u8>, expected: Option<&str>) -> io::Result<Written> {
        let request = s3(&self.aws)
            .put_object()
            .bucket(&self.bucket)
            .key(&self.key)
            .content_type("application/json")
            .body(ByteStream::from(bytes));
        let request = match expected {
            Some(e_tag) => request.if_match(e_tag),
            None => request.if_none_match("*"),
        };
        let request = match &self.kms_key_id {
            Some(key) => request.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key),
            None => request.server_side_encryption(ServerSideEncryption::Aes256),
        };
        match request.send().await {
            Ok(output) => match output.e_tag {
                Some(e_tag) => Ok(Written::Done(e_tag)),
                None => Err(self.error("the response has no ETag")),
            },
            Err(error) if error.as_service_error().is_some_and(is_changed) => Ok(Written::Changed),
            Err(error) => Err(self.failure(error)),
        }
    }
}

/// True when the condition of a write is not met: 412 when the object is another one, 409 when a concurrent write or
/// deletion was faster, 404 when the expected object does not exist
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html#conditional-error-response>).
fn is_changed(error: &PutObjectError) -> bool {
    matches!(error.code(), Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey"))
}

/// The time of a response, by the clock of S3.
#[derive(Clone, Debug, Default)]
struct ServerDate(Arc<Mutex<Option<DateTime>>>);

impl ServerDate {
    fn get(&self) -> Option<DateTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for ServerDate {
    fn name(&self) -> &'static str {
        "server date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
