//! Calls of WAF in its own JSON: what our SDK does not know goes out and comes back all the same.

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

/// Puts a JSON body in place of the one that the SDK wrote, and keeps the body of the answer.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    body: Json,
    answer: Arc<Mutex<Json>>,
}

impl Wire {
    pub(super) fn new(body: Json) -> Wire {
        Wire { body, answer: Arc::default() }
    }

    /// What WAF answered.
    pub(super) fn answer(&self) -> Json {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[dyn_dispatch_hint]
impl Intercept for Wire {
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
            *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = json;
        }
        Ok(())
    }
}

/// Makes a call of WAF with this JSON, and is its answer as JSON.
macro_rules! call {
    ($operation:expr, $body:expr) => {{
        let wire = $crate::wafv2::wire::Wire::new($body);
        let sent = $operation.customize().interceptor(wire.clone()).send().await;
        sent.map(|_| wire.answer())
    }};
}

pub(super) use call;
