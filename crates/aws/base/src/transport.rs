//! The HTTP transport of all SDK clients: each request waits for the call budget, is counted, and is sent once.

use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;
use holdfast_engine::budget::{CallBudget, CallOutcome, is_mutating};

/// The header that carries the names of service and operation from the interceptor to the connector. It is never sent.
const CALL_HEADER: &str = "x-holdfast-call";

/// Names each call for the call budget, and turns the SDK's retries off for mutating calls.
///
/// The SDK's standard retry repeats a create without a client token when the response is lost, which would create a
/// second VPC, for example. The engine retries mutating calls itself, after an observation.
#[derive(Debug)]
struct CallNaming;

#[dyn_dispatch_hint]
impl Intercept for CallNaming {
    fn name(&self) -> &'static str {
        "holdfast"
    }

    /// Runs in this hook because earlier hooks do not have the metadata of the call yet.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if bag.load::<Metadata>().is_some_and(|call| is_mutating(call.name())) {
            bag.interceptor_state().store_put(RetryConfig::disabled());
        }
        Ok(())
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = bag.load::<Metadata>() {
            let name = format!("{}.{}", service_name(call.service()), call.name());
            context.request_mut().headers_mut().insert(CALL_HEADER, name);
        }
        Ok(())
    }
}

/// The interceptor of every SDK client.
pub fn naming() -> SharedInterceptor {
    SharedInterceptor::new(CallNaming)
}

/// The short name of a service, from the SDK's service id.
fn service_name(id: &str) -> String {
    match id {
        "Elastic Load Balancing v2" => "elbv2".into(),
        "CloudWatch Logs" => "logs".into(),
        "Application Auto Scaling" => "autoscaling".into(),
        "Resource Groups Tagging API" => "tagging".into(),
        other => other.to_lowercase().replace(' ', ""),
    }
}

/// An HTTP client that sends every request through the call budget.
pub(crate) fn client(budget: CallBudget, account_region: String) -> SharedHttpClient {
    let inner =
        aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    SharedHttpClient::new(Metered { inner, budget, account_region })
}

#[derive(Debug)]
struct Metered {
    inner: SharedHttpClient,
    budget: CallBudget,
    account_region: String,
}

impl HttpClient for Metered {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(MeteredConnector {
            inner: self.inner.http_connector(settings, components),
            budget: self.budget.clone(),
            account_region: self.account_region.clone(),
        })
    }
}

#[derive(Debug)]
struct MeteredConnector {
    inner: SharedHttpConnector,
    budget: CallBudget,
    account_region: String,
}

impl HttpConnector for MeteredConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let call = request.headers_mut().remove(CALL_HEADER).unwrap_or_else(|| "credentials.Get".into());
        let (inner, budget, account_region) = (self.inner.clone(), self.budget.clone(), self.account_region.clone());
        HttpConnectorFuture::new(async move {
            let (service, operation) = call.split_once('.').unwrap_or(("", &call));
            budget.acquire(&account_region, service, operation).await;
            let result = inner.call(request).await;
            let outcome = match &result {
                Ok(response) if response.status().is_success() => CallOutcome::Ok,
                Ok(response)
                    if is_throttled(
                        response.status().as_u16(),
                        response.body().bytes(),
                        response.headers().get("x-amzn-errortype"),
                    ) =>
                {
                    CallOutcome::Throttled
                }
                Ok(_) => CallOutcome::Error,
                Err(_) => CallOutcome::NoReply,
            };
            budget.record(&account_region, service, operation, outcome);
            result
        })
    }
}

/// True for a throttling response, by its status, its header, or the error code in a body that is already read.
fn is_throttled(status: u16, body: Option<&[u8]>, error_type: Option<&str>) -> bool {
    let says = |text: &str| {
        text.contains("Throttl") || text.contains("RequestLimitExceeded") || text.contains("TooManyRequests")
    };
    // EC2 returns RequestLimitExceeded with status 503, and the body is not read yet at this point.
    status == 429
        || status == 503
        || error_type.is_some_and(says)
        || body.and_then(|b| std::str::from_utf8(b).ok()).is_some_and(says)
}
