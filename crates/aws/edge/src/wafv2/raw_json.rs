//! Calls of WAF with raw JSON bodies, so that fields that the SDK does not know are sent and received.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value as Json;

/// An interceptor that replaces the SDK's request body with JSON and keeps the response body.
#[derive(Clone, Debug)]
pub(super) struct RawJson {
    body: Json,
    response: Arc<Mutex<Json>>,
}

impl RawJson {
    pub(super) fn new(body: Json) -> RawJson {
        RawJson { body, response: Arc::default() }
    }

    /// Returns WAF's response.
    pub(super) fn response(&self) -> Json {
        self.response.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[dyn_dispatch_hint]
impl Intercept for RawJson {
    fn name(&self) -> &'static str {
        "wire"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = self.body.to_string();
        let request = context.request_mut();
        request.headers_mut().insert("content-length", body.len().to_string());
        *request.body_mut() = SdkBody::from(body);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(json) = context.response().body().bytes().and_then(|bytes| serde_json::from_slice(bytes).ok()) {
            *self.response.lock().unwrap_or_else(PoisonError::into_inner) = json;
        }
        Ok(())
    }
}

/// Sends a call of WAF with this JSON body, and returns the response as JSON.
macro_rules! call {
    ($operation:expr, $body:expr) => {{
        let json = $crate::wafv2::raw_json::RawJson::new($body);
        let sent = $operation.customize().interceptor(json.clone()).send().await;
        sent.map(|_| json.response())
    }};
}

pub(super) use call;
