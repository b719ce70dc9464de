//! Conversion of a distribution to AWS's types and back. A write edits the configuration that CloudFront returned.

use std::collections::BTreeMap;

use aws_sdk_cloudfront::types as sdk;
use holdfast_base::error::{Error, Result};
use holdfast_core::types::{Ref, ServerDefault};

use super::behavior::{CacheBehavior, DefaultCacheBehavior};
use super::origin_wire;
use super::spec::{CustomErrorResponse, Distribution, GeoRestriction, LoggingConfig, Restrictions, ViewerCertificate};

/// Writes the spec into a configuration. `merged` means that the behaviours of the spec contain the live values of the
/// fields that the document does not state.
pub(super) fn put(config: &mut sdk::DistributionConfig, spec: &Distribution, merged: bool) -> Result<()> {
    let Distribution {
        comment,
        enabled,
        aliases,
        default_root_object,
        http_version,
        is_ipv6_enabled,
        price_class,
        origins,
        origin_groups,
        default_cache_behavior,
        cache_behaviors,
        viewer_certificate,
        restrictions,
        logging,
        custom_error_responses,
        web_acl,
    } = spec;
    if let Some(comment) = comment {
        config.comment.clone_from(comment);
    }
    config.enabled = *enabled;
    config.aliases = Some(items!(sdk::Aliases::builder(), aliases.clone().unwrap_or_default())?);
    config.default_root_object = Some(default_root_object.clone().unwrap_or_default());
    config.http_version = http_version.as_ref().map(|of| of.as_str().into()).or(config.http_version.take());
    config.is_ipv6_enabled = is_ipv6_enabled.map(|on| *on).or(config.is_ipv6_enabled);
    config.price_class = price_class.as_ref().map(|of| of.as_str().into()).or(config.price_class.take());
    config.origins = Some(origin_wire::origins(origins, config.origins.as_ref())?);
    let groups = origin_groups.clone().unwrap_or_default();
    config.origin_groups = Some(origin_wire::groups(&groups, config.origin_groups.as_ref())?);
    let mut default = match config.default_cache_behavior.take() {
        Some(live) => live,
        None => sdk::DefaultCacheBehavior::builder()
            .target_origin_id("")
            .viewer_protocol_policy(sdk::ViewerProtocolPolicy::AllowAll)
            .build()?,
    };
    default_cache_behavior.put(&mut default, true)?;
    config.default_cache_behavior = Some(default);
    config.cache_behaviors = Some(behaviors(cache_behaviors.as_deref(), config.cache_behaviors.take(), merged)?);
    if let Some(ServerDefault(certificate)) = viewer_certificate {
        config.viewer_certificate = Some(put_certificate(certificate, config.viewer_certificate.take()));
    }
    if let Some(ServerDefault(Restrictions { geo_restriction: GeoRestriction { restriction_type, items } })) =
        restrictions
    {
        let geo = sdk::GeoRestriction::builder().restriction_type(restriction_type.as_str().into());
        let geo = items!(geo, items.clone())?;
        config.restrictions = Some(sdk::Restrictions::builder().geo_restriction(geo).build());
    }
    let disabled = LoggingConfig { bucket: String::new(), prefix: String::new(), include_cookies: false };
    let LoggingConfig { bucket, prefix, include_cookies } = logging.as_ref().unwrap_or(&disabled);
    let to = sdk::LoggingConfig::builder().enabled(logging.is_some()).include_cookies(*include_cookies);
    config.logging = Some(to.bucket(bucket).prefix(prefix).build());
    let stated = custom_error_responses.clone().unwrap_or_default();
    config.custom_error_responses = Some(errors(&stated, config.custom_error_responses.as_ref())?);
    config.web_acl_id = Some(web_acl.as_ref().map(Ref::to_string).unwrap_or_default());
    Ok(())
}

fn behaviors(
    stated: Option<&[CacheBehavior]>,
    live: Option<sdk::CacheBehaviors>,
    merged: bool,
) -> Result<sdk::CacheBehaviors> {
    let live = live.and_then(|live| live.items).unwrap_or_default();
    let mut items = vec![];
    for behavior in stated.unwrap_or_default() {
        let mut raw = match live.iter().find(|live| live.path_pattern == behavior.path_pattern) {
            Some(live) => live.clone(),
            None => sdk::CacheBehavior::builder()
                .path_pattern(&behavior.path_pattern)
                .target_origin_id("")
                .viewer_protocol_policy(sdk::ViewerProtocolPolicy::AllowAll)
                .build()?,
        };
        behavior.put(&mut raw, merged)?;
        items.push(raw);
    }
    Ok(items!(sdk::CacheBehaviors::builder(), items)?)
}

/// Returns the certificate to write. The result leaves out the deprecated fields that CloudFront also returns, because
/// they must not contradict the current fields.
fn put_certificate(stated: &ViewerCertificate, live: Option<sdk::ViewerCertificate>) -> sdk::ViewerCertificate {
    let ViewerCertificate {
        cloud_front_default_certificate,
        certificate,
        minimum_protocol_version,
        ssl_support_method,
    } = stated;
    let was_default = live.as_ref().is_none_or(|live| live.cloud_front_default_certificate == Some(true));
    // If the merged spec has both certificates, the one that is not live yet is the desired one.
    let to_default = cloud_front_default_certificate.is_some_and(|on| *on) && !was_default;
    let built = sdk::ViewerCertificate::builder();
    match certificate {
        Some(certificate) if !to_default => {
            // CloudFront returns `TLSv1` for its default certificate. The merged spec then contains that value, which
            // no document chose.
            let version = minimum_protocol_version.as_deref().filter(|of| !was_default || of.as_str() != "TLSv1");
            let version = version.map_or("TLSv1.2_2021", String::as_str);
            let method = ssl_support_method.as_deref().filter(|_| !was_default || live.is_none());
            built
                .cloud_front_default_certificate(false)
                .acm_certificate_arn(certificate.as_str())
                .minimum_protocol_version(version.into())
                .ssl_support_method(method.map_or("sni-only", String::as_str).into())
                .build()
        }
        None if !to_default && !was_default => live.unwrap_or_else(|| built.build()),
        _ => built.cloud_front_default_certificate(true).build(),
    }
}

fn errors(
    stated: &BTreeMap<String, CustomErrorResponse>,
    live: Option<&sdk::CustomErrorResponses>,
) -> Result<sdk::CustomErrorResponses> {
    let mut items = vec![];
    for (code, stated) in stated {
        let CustomErrorResponse { response_page_path, response_code, error_caching_min_ttl } = stated;
        let wrong = |_| {
            Error::terminal(
                "customErrorResponses",
                format!("`{code}` is not a status code; state a number such as `404`"),
            )
        };
        let code: i32 = code.parse().map_err(wrong)?;
        let live_response = live.and_then(|live| live.items().iter().find(|one| one.error_code == code));
        let ttl = error_caching_min_ttl.map(|ttl| *ttl).or(live_response.and_then(|one| one.error_caching_min_ttl));
        let built = sdk::CustomErrorResponse::builder().error_code(code).set_error_caching_min_ttl(ttl);
        // CloudFront requires both fields or neither. Empty strings mean neither.
        let built = built.response_page_path(response_page_path.clone().unwrap_or_default());
        items.push(built.response_code(response_code.clone().unwrap_or_default()).build()?);
    }
    Ok(items!(sdk::CustomErrorResponses::builder(), items)?)
}

/// Returns the spec of a distribution that CloudFront returned.
pub(super) fn from_response(config: &sdk::DistributionConfig) -> Result<Distribution> {
    let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
    let errors = config.custom_error_responses.iter().flat_map(|errors| errors.items()).map(|error| {
        let response = CustomErrorResponse {
            response_page_path: text(error.response_page_path()),
            response_code: text(error.response_code()),
            error_caching_min_ttl: error.error_caching_min_ttl.map(ServerDefault),
        };
        (error.error_code.to_string(), response)
    });
    let certificate = config.viewer_certificate.as_ref().map(|response| {
        ServerDefault(ViewerCertificate {
            cloud_front_default_certificate: response.cloud_front_default_certificate.map(ServerDefault),
            certificate: response.acm_certificate_arn.clone().filter(|arn| !arn.is_empty()).map(Ref::new),
            minimum_protocol_version: response
                .minimum_protocol_version
                .as_ref()
                .map(|of| ServerDefault(of.as_str().to_owned())),
            ssl_support_method: response.ssl_support_method.as_ref().map(|of| ServerDefault(of.as_str().to_owned())),
        })
    });
    let geo = config.restrictions.as_ref().and_then(|restrictions| restrictions.geo_restriction.as_ref());
    let missing = || Error::incomplete("cloudfront.GetDistribution", "defaultCacheBehavior");
    let default = config.default_cache_behavior.as_ref().ok_or_else(missing)?;
    let behaviors = config.cache_behaviors.iter().flat_map(|behaviors| behaviors.items());
    let groups = config.origin_groups.iter().flat_map(|groups| groups.items());
    Ok(Distribution {
        comment: Some(ServerDefault(config.comment.clone())),
        enabled: config.enabled,
        aliases: Some(config.aliases.iter().flat_map(|aliases| aliases.items()).cloned().collect()),
        default_root_object: text(config.default_root_object()),
        http_version: config.http_version.as_ref().map(|of| ServerDefault(of.as_str().to_lowercase())),
        is_ipv6_enabled: config.is_ipv6_enabled.map(ServerDefault),
        price_class: config.price_class.as_ref().map(|of| ServerDefault(of.as_str().to_owned())),
        origins: config.origins.iter().flat_map(|origins| origins.items()).map(origin_wire::from_response).collect(),
        origin_groups: Some(groups.map(origin_wire::group_from_response).collect()),
        default_cache_behavior: DefaultCacheBehavior::from_response(default),
        cache_behaviors: Some(behaviors.map(CacheBehavior::from_response).collect()),
        viewer_certificate: certificate,
        restrictions: geo.map(|geo| {
            let restriction_type = geo.restriction_type.as_str().to_owned();
            let items = geo.items().iter().cloned().collect();
            ServerDefault(Restrictions { geo_restriction: GeoRestriction { restriction_type, items } })
        }),
        logging: config.logging.as_ref().filter(|to| to.enabled).map(|to| LoggingConfig {
            bucket: to.bucket.clone(),
            prefix: to.prefix.clone(),
            include_cookies: to.include_cookies,
        }),
        custom_error_responses: Some(errors.collect()),
        web_acl: text(config.web_acl_id()).map(Ref::new),
    })
}

/// Returns the part of the spec that the list call returns: everything except the root object and the logging.
pub(super) fn from_summary(summary: &sdk::DistributionSummary) -> Result<Distribution> {
    let config = sdk::DistributionConfig::builder()
        .caller_reference("")
        .comment(&summary.comment)
        .enabled(summary.enabled)
        .set_aliases(summary.aliases.clone())
        .set_origins(summary.origins.clone())
        .set_origin_groups(summary.origin_groups.clone())
        .set_default_cache_behavior(summary.default_cache_behavior.clone())
        .set_cache_behaviors(summary.cache_behaviors.clone())
        .set_custom_error_responses(summary.custom_error_responses.clone())
        .set_viewer_certificate(summary.viewer_certificate.clone())
        .set_restrictions(summary.restrictions.clone())
        .web_acl_id(&summary.web_acl_id)
        .price_class(summary.price_class.clone())
        .http_version(summary.http_version.clone())
        .is_ipv6_enabled(summary.is_ipv6_enabled);
    from_response(&config.build()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(more: &str) -> Distribution {
        let text = format!(
            r#"{{"origins": {{"a": {{"domainName": "a.s3.eu-west-1.amazonaws.com"}}}}, "defaultCacheBehavior":
            {{"targetOrigin": "a", "viewerProtocolPolicy": "https-only", "cachePolicy": "p"}} {more}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn new_config() -> sdk::DistributionConfig {
        sdk::DistributionConfig::builder().caller_reference("r").comment("").enabled(true).build().unwrap()
    }

    #[test]
    fn a_certificate_can_be_added_and_removed() -> Result<()> {
        let mut config = new_config();
        put(&mut config, &spec(r#", "viewerCertificate": {"certificate": "arn"}"#), true)?;
        let live = from_response(&config)?.viewer_certificate.unwrap().0;
        assert_eq!(live.minimum_protocol_version.as_deref().map(String::as_str), Some("TLSv1.2_2021"));
        // The planner merges the live values into the spec, so the certificate is still stated.
        let back = spec(r#", "viewerCertificate": {"certificate": "arn", "cloudFrontDefaultCertificate": true}"#);
        put(&mut config, &back, true)?;
        let live = from_response(&config)?.viewer_certificate.unwrap().0;
        assert_eq!((live.certificate, live.cloud_front_default_certificate), (None, Some(ServerDefault(true))));
        Ok(())
    }

    #[test]
    fn an_update_keeps_settings_that_the_spec_does_not_know() -> Result<()> {
        let mut config = new_config();
        put(
            &mut config,
            &spec(
                r#", "cacheBehaviors": [{"pathPattern": "/a", "targetOrigin": "a",
            "viewerProtocolPolicy": "https-only", "responseHeadersPolicy": "h"}]"#,
            ),
            true,
        )?;
        config.continuous_deployment_policy_id = Some("c".into());
        if let Some(behavior) =
            config.cache_behaviors.as_mut().and_then(|b| b.items.as_mut()).and_then(|b| b.get_mut(0))
        {
            behavior.realtime_log_config_arn = Some("log".into());
        }
        let more = spec(
            r#", "cacheBehaviors": [{"pathPattern": "/b", "targetOrigin": "a", "viewerProtocolPolicy":
            "https-only"}, {"pathPattern": "/a", "targetOrigin": "a", "viewerProtocolPolicy": "allow-all"}]"#,
        );
        put(&mut config, &more, false)?;
        assert_eq!(config.continuous_deployment_policy_id.as_deref(), Some("c"));
        let behaviors = config.cache_behaviors.as_ref().map(|b| b.items()).unwrap_or_default();
        assert_eq!(behaviors[1].realtime_log_config_arn.as_deref(), Some("log"));
        assert_eq!(behaviors[1].response_headers_policy_id.as_deref(), Some("h"));
        Ok(())
    }
}
