//! Conversion of a response headers policy to AWS's types and back.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudfront::types::{
    ResponseHeadersPolicyAccessControlAllowHeaders as AllowHeaders,
    ResponseHeadersPolicyAccessControlAllowMethods as AllowMethods,
    ResponseHeadersPolicyAccessControlAllowOrigins as AllowOrigins,
    ResponseHeadersPolicyAccessControlExposeHeaders as ExposeHeaders, ResponseHeadersPolicyConfig as Config,
    ResponseHeadersPolicyContentSecurityPolicy as Csp, ResponseHeadersPolicyContentTypeOptions as Nosniff,
    ResponseHeadersPolicyCorsConfig as Cors, ResponseHeadersPolicyCustomHeader as Custom,
    ResponseHeadersPolicyCustomHeadersConfig as CustomHeaders, ResponseHeadersPolicyFrameOptions as Frame,
    ResponseHeadersPolicyReferrerPolicy as Referrer, ResponseHeadersPolicyRemoveHeader as Remove,
    ResponseHeadersPolicyRemoveHeadersConfig as RemoveHeaders, ResponseHeadersPolicySecurityHeadersConfig as Security,
    ResponseHeadersPolicyServerTimingHeadersConfig as Timing, ResponseHeadersPolicyStrictTransportSecurity as Hsts,
    ResponseHeadersPolicyXssProtection as Xss,
};
use holdfast_base::error::Result;

use super::spec::{
    ContentSecurityPolicy, ContentTypeOptions, CorsConfig, CustomHeader, FrameOptions, ReferrerPolicy,
    ResponseHeadersPolicy, SecurityHeadersConfig, ServerTimingHeadersConfig, StrictTransportSecurity, XssProtection,
};

/// Writes the headers into a configuration. The comment is not written here.
pub(super) fn put(config: &mut Config, spec: &ResponseHeadersPolicy) -> Result<()> {
    let ResponseHeadersPolicy {
        comment: _,
        cors_config,
        security_headers_config,
        server_timing_headers_config,
        custom_headers_config,
        remove_headers_config,
    } = spec;
    config.cors_config = cors_config.as_ref().map(cors).transpose()?;
    config.security_headers_config = security_headers_config.as_ref().map(security).transpose()?;
    config.server_timing_headers_config = match server_timing_headers_config {
        Some(ServerTimingHeadersConfig { enabled, sampling_rate }) => {
            Some(Timing::builder().enabled(*enabled).set_sampling_rate(*sampling_rate).build()?)
        }
        None => None,
    };
    config.custom_headers_config = match custom_headers_config {
        Some(headers) => {
            let one = |(name, CustomHeader { value, r#override }): (&String, &CustomHeader)| {
                Custom::builder().header(name).value(value).r#override(*r#override).build()
            };
            let items = headers.iter().map(one).collect::<std::result::Result<Vec<_>, _>>()?;
            Some(items!(CustomHeaders::builder(), items)?)
        }
        None => None,
    };
    config.remove_headers_config = match remove_headers_config {
        Some(names) => {
            let items = names.iter().map(|name| Remove::builder().header(name).build());
            let items = items.collect::<std::result::Result<Vec<_>, _>>()?;
            Some(items!(RemoveHeaders::builder(), items)?)
        }
        None => None,
    };
    Ok(())
}

fn cors(spec: &CorsConfig) -> Result<Cors> {
    let CorsConfig {
        access_control_allow_origins: origins,
        access_control_allow_headers: headers,
        access_control_allow_methods: methods,
        access_control_expose_headers: exposed,
        access_control_allow_credentials,
        access_control_max_age_sec,
        origin_override,
    } = spec;
    let methods = methods.iter().map(|method| method.as_str().into());
    let exposed = exposed.clone().map(|names| items!(ExposeHeaders::builder(), names));
    Ok(Cors::builder()
        .access_control_allow_origins(items!(AllowOrigins::builder(), origins.clone())?)
        .access_control_allow_headers(items!(AllowHeaders::builder(), headers.clone())?)
        .access_control_allow_methods(items!(AllowMethods::builder(), methods)?)
        .set_access_control_expose_headers(exposed.transpose()?)
        .access_control_allow_credentials(*access_control_allow_credentials)
        .set_access_control_max_age_sec(*access_control_max_age_sec)
        .origin_override(*origin_override)
        .build()?)
}

fn security(spec: &SecurityHeadersConfig) -> Result<Security> {
    let SecurityHeadersConfig {
        strict_transport_security,
        content_security_policy,
        content_type_options,
        frame_options,
        referrer_policy,
        xss_protection,
    } = spec;
    let hsts = strict_transport_security.as_ref().map(|hsts| {
        let StrictTransportSecurity { access_control_max_age_sec, include_subdomains, preload, r#override } = hsts;
        let built = Hsts::builder().access_control_max_age_sec(*access_control_max_age_sec).preload(*preload);
        built.include_subdomains(*include_subdomains).r#override(*r#override).build()
    });
    let csp = content_security_policy.as_ref().map(|ContentSecurityPolicy { content_security_policy, r#override }| {
        Csp::builder().content_security_policy(content_security_policy).r#override(*r#override).build()
    });
    let nosniff = content_type_options
        .as_ref()
        .map(|ContentTypeOptions { r#override }| Nosniff::builder().r#override(*r#override).build());
    let frame = frame_options.as_ref().map(|FrameOptions { frame_option, r#override }| {
        Frame::builder().frame_option(frame_option.as_str().into()).r#override(*r#override).build()
    });
    let referrer = referrer_policy.as_ref().map(|ReferrerPolicy { referrer_policy, r#override }| {
        Referrer::builder().referrer_policy(referrer_policy.as_str().into()).r#override(*r#override).build()
    });
    let xss = xss_protection.as_ref().map(|XssProtection { protection, mode_block, report_uri, r#override }| {
        let built = Xss::builder().protection(*protection).set_mode_block(*mode_block);
        built.set_report_uri(report_uri.clone()).r#override(*r#override).build()
    });
    Ok(Security::builder()
        .set_strict_transport_security(hsts.transpose()?)
        .set_content_security_policy(csp.transpose()?)
        .set_content_type_options(nosniff.transpose()?)
        .set_frame_options(frame.transpose()?)
        .set_referrer_policy(referrer.transpose()?)
        .set_xss_protection(xss.transpose()?)
        .build())
}

/// Returns the headers of a configuration, without its comment.
pub(super) fn from_response(config: &Config) -> ResponseHeadersPolicy {
    let custom = config.custom_headers_config.iter().flat_map(|c| c.items()).map(|header| {
        (header.header.clone(), CustomHeader { value: header.value.clone(), r#override: header.r#override })
    });
    let removed = config.remove_headers_config.iter().flat_map(|r| r.items()).map(|header| header.header.clone());
    ResponseHeadersPolicy {
        comment: None,
        cors_config: config.cors_config.as_ref().map(cors_from_response),
        security_headers_config: config.security_headers_config.as_ref().map(security_from_response),
        server_timing_headers_config: config
            .server_timing_headers_config
            .as_ref()
            .map(|t| ServerTimingHeadersConfig { enabled: t.enabled, sampling_rate: t.sampling_rate }),
        custom_headers_config: Some(custom.collect()).filter(|map: &BTreeMap<_, _>| !map.is_empty()),
        remove_headers_config: Some(removed.collect()).filter(|set: &BTreeSet<_>| !set.is_empty()),
    }
}

fn cors_from_response(response: &Cors) -> CorsConfig {
    let methods = response.access_control_allow_methods.iter().flat_map(|m| m.items());
    CorsConfig {
        access_control_allow_origins: texts(response.access_control_allow_origins.as_ref().map(|o| o.items())),
        access_control_allow_headers: texts(response.access_control_allow_headers.as_ref().map(|h| h.items())),
        access_control_allow_methods: methods.map(|method| method.as_str().to_owned()).collect(),
        access_control_expose_headers: response.access_control_expose_headers.as_ref().map(|h| texts(Some(h.items()))),
        access_control_allow_credentials: response.access_control_allow_credentials,
        access_control_max_age_sec: response.access_control_max_age_sec,
        origin_override: response.origin_override,
    }
}

fn texts(items: Option<&[String]>) -> BTreeSet<String> {
    items.unwrap_or_default().iter().cloned().collect()
}

fn security_from_response(response: &Security) -> SecurityHeadersConfig {
    SecurityHeadersConfig {
        strict_transport_security: response.strict_transport_security.as_ref().map(|hsts| StrictTransportSecurity {
            access_control_max_age_sec: hsts.access_control_max_age_sec,
            include_subdomains: hsts.include_subdomains.unwrap_or(false),
            preload: hsts.preload.unwrap_or(false),
            r#override: hsts.r#override,
        }),
        content_security_policy: response.content_security_policy.as_ref().map(|csp| ContentSecurityPolicy {
            content_security_policy: csp.content_security_policy.clone(),
            r#override: csp.r#override,
        }),
        content_type_options: response
            .content_type_options
            .as_ref()
            .map(|nosniff| ContentTypeOptions { r#override: nosniff.r#override }),
        frame_options: response.frame_options.as_ref().map(|frame| FrameOptions {
            frame_option: frame.frame_option.as_str().to_owned(),
            r#override: frame.r#override,
        }),
        referrer_policy: response.referrer_policy.as_ref().map(|referrer| ReferrerPolicy {
            referrer_policy: referrer.referrer_policy.as_str().to_owned(),
            r#override: referrer.r#override,
        }),
        xss_protection: response.xss_protection.as_ref().map(|xss| XssProtection {
            protection: xss.protection,
            mode_block: xss.mode_block,
            report_uri: xss.report_uri.clone().filter(|uri| !uri.is_empty()),
            r#override: xss.r#override,
        }),
    }
}
