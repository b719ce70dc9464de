//! Every request to AWS passes here: it waits for the budget, is counted, and is sent once.

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
use holdfast_engine::budget::{Budget, Outcome, is_mutating};

/// Carries the service's and operation's names from the interceptor to the connector; never sent.
const CALL_HEADER: &str = "x-holdfast-call";

/// Names each call for the budget, and turns the SDK's retries off for what changes something.
///
/// The SDK's standard retry repeats a create without a client token when its reply is lost. A second
/// VPC would be the result, so the engine decides about those, after a look (DESIGN, safety rule 3).
#[derive(Debug)]
struct Naming;

#[dyn_dispatch_hint]
impl Intercept for Naming {
    fn name(&self) -> &'static str {
        "holdfast"
    }

    /// Not earlier: before an execution the SDK does not know yet which call it is.
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

/// The interceptor that every client of an AWS service has.
pub fn naming() -> SharedInterceptor {
    SharedInterceptor::new(Naming)
}

/// The SDK's service ids as the short names people know.
fn service_name(id: &str) -> String {
    match id {
        "Elastic Load Balancing v2" => "elbv2".into(),
        "CloudWatch Logs" => "logs".into(),
        "Application Auto Scaling" => "autoscaling".into(),
        "Resource Groups Tagging API" => "tagging".into(),
        other => other.to_lowercase().replace(' ', ""),
    }
}

/// An HTTP client whose every request goes through the budget.
pub(crate) fn client(budget: Budget, place: String) -> SharedHttpClient {
    let inner =
        aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    SharedHttpClient::new(Metered { inner, budget, place })
}

#[derive(Debug)]
struct Metered {
    inner: SharedHttpClient,
    budget: Budget,
    place: String,
}

impl HttpClient for Metered {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(MeteredConnector {
            inner: self.inner.http_connector(settings, components),
            budget: self.budget.clone(),
            place: self.place.clone(),
        })
    }
}

#[derive(Debug)]
struct MeteredConnector {
    inner: SharedHttpConnector,
    budget: Budget,
    place: String,
}

impl HttpConnector for MeteredConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let call = request.headers_mut().remove(CALL_HEADER).unwrap_or_else(|| "credentials.Get".into());
        let (inner, budget, place) = (self.inner.clone(), self.budget.clone(), self.place.clone());
        HttpConnectorFuture::new(async move {
            let (service, operation) = call.split_once('.').unwrap_or(("", &call));
            budget.acquire(&place, service, operation).await;
            let answer = inner.call(request).await;
            let outcome = match &answer {
                Ok(response) if response.status().is_success() => Outcome::Ok,
                Ok(response)
                    if is_throttled(
                        response.status().as_u16(),
                        response.body().bytes(),
                        response.headers().get("x-amzn-errortype"),
                    ) =>
                {
                    Outcome::Throttled
                }
                Ok(_) => Outcome::Error,
                Err(_) => Outcome::NoReply,
            };
            budget.record(&place, service, operation, outcome);
            answer
        })
    }
}

/// True for an answer that says "too many calls": by status, header, or the code in an error body at hand.
fn is_throttled(status: u16, body: Option<&[u8]>, error_type: Option<&str>) -> bool {
    let says = |text: &str| {
        text.contains("Throttl") || text.contains("RequestLimitExceeded") || text.contains("TooManyRequests")
    };
    // EC2 answers RequestLimitExceeded with 503, whose body has not been read yet here.
    status == 429
        || status == 503
        || error_type.is_some_and(says)
        || body.and_then(|b| std::str::from_utf8(b).ok()).is_some_and(says)
}
