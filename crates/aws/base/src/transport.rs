//! The HTTP transport of all SDK clients: each request waits for the call budget, is counted, and is sent once. A
//! mutating call is sent only while the lease permits it.

use std::net::IpAddr;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, SharedInterceptor, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::RetryConfig;
use holdfast_engine::budget::{CallBudget, CallOutcome, is_mutating};
use holdfast_engine::lease::LeaseGate;

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

/// An HTTP client that sends every request through the call budget, mutating calls through the gate, and all of them
/// through the proxy of the environment if there is one.
pub(crate) fn client(budget: CallBudget, gate: LeaseGate, account_region: String) -> SharedHttpClient {
    let direct = Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https();
    let proxied = has_proxy().then(|| Builder::new().build_with_connector_fn(proxied_connector));
    SharedHttpClient::new(Metered { direct, proxied, budget, gate, account_region })
}

/// True when the environment names a proxy.
fn has_proxy() -> bool {
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    names.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Returns a connector that uses the proxy of `HTTPS_PROXY`, `HTTP_PROXY` or `ALL_PROXY`, except for the hosts of
/// `NO_PROXY`: <https://docs.rs/aws-smithy-http-client/latest/aws_smithy_http_client/proxy/struct.ProxyConfig.html>.
fn proxied_connector(settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>) -> Connector {
    let mut builder = Connector::builder();
    builder.set_connector_settings(settings.cloned());
    builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    let builder = builder.tls_provider(tls::Provider::Rustls(CryptoMode::Ring));
    builder.proxy_config(ProxyConfig::from_env()).build()
}

/// True for a host that no proxy is asked for: this machine, and the link-local and unique local addresses of the
/// credential services of EC2, ECS and EKS, which a proxy cannot reach
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>).
fn is_local(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unique_local()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[derive(Debug)]
struct Metered {
    direct: SharedHttpClient,
    /// The client that uses the proxy of the environment, if there is one.
    proxied: Option<SharedHttpClient>,
    budget: CallBudget,
    gate: LeaseGate,
    account_region: String,
}

impl HttpClient for Metered {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(MeteredConnector {
            direct: self.direct.http_connector(settings, components),
            proxied: self.proxied.as_ref().map(|client| client.http_connector(settings, components)),
            budget: self.budget.clone(),
            gate: self.gate.clone(),
            account_region: self.account_region.clone(),
        })
    }
}

#[derive(Debug)]
struct MeteredConnector {
    direct: SharedHttpConnector,
    proxied: Option<SharedHttpConnector>,
    budget: CallBudget,
    gate: LeaseGate,
    account_region: String,
}

impl HttpConnector for MeteredConnector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let call = request.headers_mut().remove(CALL_HEADER).unwrap_or_else(|| "credentials.Get".into());
        let is_local = || request.uri().parse::<http::Uri>().is_ok_and(|uri| uri.host().is_some_and(is_local));
        let inner = self.proxied.as_ref().filter(|_| !is_local()).unwrap_or(&self.direct).clone();
        let (budget, gate, account_region) = (self.budget.clone(), self.gate.clone(), self.account_region.clone());
        HttpConnectorFuture::new(async move {
            let (service, operation) = call.split_once('.').unwrap_or(("", &call));
            budget.acquire(&account_region, service, operation).await;
            // The last check before the request is sent: the wait for the budget may have been long.
            if service != "credentials" && is_mutating(operation) {
                gate.permit().await.map_err(|lost| ConnectorError::user(lost.into()))?;
                add_fence(&mut request, &gate);
            }
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

/// Adds the fencing number to the user agent, which CloudTrail records. The signature of a request does not cover the
/// user agent (`aws-sigv4`: `SigningSettings::excluded_headers`).
fn add_fence(request: &mut HttpRequest, gate: &LeaseGate) {
    if let (Some(fence), Some(agent)) = (gate.fence(), request.headers().get("user-agent")) {
        let agent = format!("{agent} md/holdfast-fence#{fence}");
        request.headers_mut().insert("user-agent", agent);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_hosts_are_reached_without_a_proxy() {
        for host in ["localhost", "127.0.0.1", "[::1]", "169.254.169.254", "169.254.170.2", "[fd00:ec2::254]"] {
            assert!(is_local(host), "{host}");
        }
        for host in ["sts.us-east-1.amazonaws.com", "10.0.0.1", "localhost.example", "[2001:db8::1]"] {
            assert!(!is_local(host), "{host}");
        }
    }
}
