//! The edge: names, certificates, caches and firewalls.

mod acm;
mod cloudfront;
mod route53;
mod wafv2;

holdfast_base::kinds! {
    acm::certificate::Certificate,
    cloudfront::cache_policy::CachePolicy,
    cloudfront::distribution::Distribution,
    cloudfront::origin_access_control::OriginAccessControl,
    cloudfront::origin_request_policy::OriginRequestPolicy,
    cloudfront::response_headers_policy::ResponseHeadersPolicy,
    route53::health_check::HealthCheck,
    route53::hosted_zone::HostedZone,
    route53::record_set::RecordSet,
    wafv2::ip_set::IpSet,
    wafv2::web_acl::WebAcl,
}
