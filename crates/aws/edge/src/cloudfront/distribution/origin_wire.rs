//! Conversion of the origins of a distribution to AWS's types and back.

use std::collections::BTreeMap;

use aws_sdk_cloudfront::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::types::{Ref, ServerDefault};

use super::origin::{CustomOriginConfig, Origin, OriginGroup, OriginShield, S3OriginConfig};

/// Returns the origins, each as an edit of the live origin with the same key.
pub(super) fn origins(stated: &BTreeMap<String, Origin>, live: Option<&sdk::Origins>) -> Result<sdk::Origins> {
    let live = |id: &str| live.and_then(|live| live.items.iter().find(|origin| origin.id == id));
    let items = stated.iter().map(|(id, origin)| put(origin, id, live(id))).collect::<Result<Vec<_>>>()?;
    Ok(items!(sdk::Origins::builder(), items)?)
}

fn put(origin: &Origin, id: &str, live: Option<&sdk::Origin>) -> Result<sdk::Origin> {
    let Origin {
        domain_name,
        origin_path,
        custom_headers,
        origin_access_control,
        s3_origin_config,
        custom_origin_config,
        connection_attempts,
        connection_timeout,
        origin_shield,
    } = origin;
    let mut raw = match live {
        Some(live) => live.clone(),
        None => sdk::Origin::builder().id(id).domain_name(domain_name).build()?,
    };
    raw.domain_name.clone_from(domain_name);
    raw.origin_path = origin_path.as_deref().cloned().or(raw.origin_path);
    if let Some(headers) = custom_headers {
        let one = |(name, value): (&String, &String)| {
            sdk::OriginCustomHeader::builder().header_name(name).header_value(value).build()
        };
        let items = headers.iter().map(one).collect::<std::result::Result<Vec<_>, _>>()?;
        raw.custom_headers = Some(items!(sdk::CustomHeaders::builder(), items)?);
    }
    raw.origin_access_control_id = Some(origin_access_control.as_ref().map(Ref::to_string).unwrap_or_default());
    raw.connection_attempts = connection_attempts.map(|of| *of).or(raw.connection_attempts);
    raw.connection_timeout = connection_timeout.map(|of| *of).or(raw.connection_timeout);
    if let Some(ServerDefault(OriginShield { enabled, origin_shield_region })) = origin_shield {
        let region = origin_shield_region.clone().filter(|_| *enabled);
        raw.origin_shield =
            Some(sdk::OriginShield::builder().enabled(*enabled).set_origin_shield_region(region).build()?);
    }
    // If the merged spec has both, the one that the live origin lacks is the desired one; the other is the live value.
    match (custom_origin_config, s3_origin_config) {
        (Some(custom), s3) if s3.is_none() || raw.custom_origin_config.is_none() => {
            raw.custom_origin_config = Some(web_server(custom, raw.custom_origin_config.take())?);
            raw.s3_origin_config = None;
        }
        (None, None) if raw.custom_origin_config.is_some() || raw.vpc_origin_config.is_some() => {}
        (_, s3) => {
            let identity = s3.as_ref().and_then(|s3| s3.origin_access_identity.as_deref().cloned());
            let live_identity = raw.s3_origin_config.as_ref().map(|s3| s3.origin_access_identity.clone());
            let mut bucket = raw.s3_origin_config.take().unwrap_or(sdk::S3OriginConfig::builder().build());
            bucket.origin_access_identity = identity.or(live_identity).unwrap_or_default();
            raw.s3_origin_config = Some(bucket);
            raw.custom_origin_config = None;
        }
    }
    Ok(raw)
}

fn web_server(stated: &CustomOriginConfig, live: Option<sdk::CustomOriginConfig>) -> Result<sdk::CustomOriginConfig> {
    let CustomOriginConfig {
        origin_protocol_policy,
        http_port,
        https_port,
        origin_ssl_protocols,
        origin_read_timeout,
        origin_keepalive_timeout,
    } = stated;
    let new = sdk::CustomOriginConfig::builder().http_port(*http_port).https_port(*https_port);
    let new = new.origin_protocol_policy(origin_protocol_policy.as_str().into()).build()?;
    let protocols = origin_ssl_protocols.iter().map(|protocol| protocol.as_str().into());
    let mut raw = live.unwrap_or_else(|| new.clone());
    raw.http_port = new.http_port;
    raw.https_port = new.https_port;
    raw.origin_protocol_policy = new.origin_protocol_policy;
    raw.origin_ssl_protocols = Some(items!(sdk::OriginSslProtocols::builder(), protocols)?);
    raw.origin_read_timeout = origin_read_timeout.map(|of| *of).or(raw.origin_read_timeout);
    raw.origin_keepalive_timeout = origin_keepalive_timeout.map(|of| *of).or(raw.origin_keepalive_timeout);
    Ok(raw)
}

/// Returns the origin groups, each as an edit of the live group with the same key.
pub(super) fn groups(
    stated: &BTreeMap<String, OriginGroup>,
    live: Option<&sdk::OriginGroups>,
) -> Result<sdk::OriginGroups> {
    let live = |id: &str| live.and_then(|live| live.items().iter().find(|group| group.id == id));
    let mut items = vec![];
    for (id, OriginGroup { members, status_codes }) in stated {
        let codes = items!(sdk::StatusCodes::builder(), status_codes.clone())?;
        let member = |id: &String| sdk::OriginGroupMember::builder().origin_id(id).build();
        let members = members.iter().map(member).collect::<std::result::Result<Vec<_>, _>>()?;
        let members = items!(sdk::OriginGroupMembers::builder(), members)?;
        let mut raw = match live(id) {
            Some(live) => live.clone(),
            None => sdk::OriginGroup::builder().id(id).build()?,
        };
        raw.failover_criteria = Some(sdk::OriginGroupFailoverCriteria::builder().status_codes(codes).build());
        raw.members = Some(members);
        items.push(raw);
    }
    Ok(items!(sdk::OriginGroups::builder(), items)?)
}

/// Returns an origin that CloudFront returned, with its key.
pub(super) fn from_response(response: &sdk::Origin) -> (String, Origin) {
    let headers = response.custom_headers.iter().flat_map(|headers| headers.items());
    let custom = response.custom_origin_config.as_ref().map(|custom| CustomOriginConfig {
        origin_protocol_policy: custom.origin_protocol_policy.as_str().to_owned(),
        http_port: custom.http_port,
        https_port: custom.https_port,
        origin_ssl_protocols: custom
            .origin_ssl_protocols
            .iter()
            .flat_map(|protocols| protocols.items())
            .map(|protocol| protocol.as_str().to_owned())
            .collect(),
        origin_read_timeout: custom.origin_read_timeout.map(ServerDefault),
        origin_keepalive_timeout: custom.origin_keepalive_timeout.map(ServerDefault),
    });
    let origin = Origin {
        domain_name: response.domain_name.clone(),
        origin_path: Some(ServerDefault(response.origin_path.clone().unwrap_or_default())),
        custom_headers: Some(ServerDefault(headers.map(|h| (h.header_name.clone(), h.header_value.clone())).collect())),
        origin_access_control: response.origin_access_control_id.clone().filter(|id| !id.is_empty()).map(Ref::new),
        s3_origin_config: response.s3_origin_config.as_ref().map(|s3| S3OriginConfig {
            origin_access_identity: Some(ServerDefault(s3.origin_access_identity.clone())),
        }),
        custom_origin_config: custom,
        connection_attempts: response.connection_attempts.map(ServerDefault),
        connection_timeout: response.connection_timeout.map(ServerDefault),
        origin_shield: response.origin_shield.as_ref().map(|shield| {
            ServerDefault(OriginShield {
                enabled: shield.enabled,
                origin_shield_region: shield.origin_shield_region.clone(),
            })
        }),
    };
    (response.id.clone(), origin)
}

/// Returns an origin group that CloudFront returned, with its key.
pub(super) fn group_from_response(response: &sdk::OriginGroup) -> (String, OriginGroup) {
    let codes = response.failover_criteria.iter().flat_map(|criteria| &criteria.status_codes).flat_map(|c| c.items());
    let members = response.members.iter().flat_map(|members| members.items()).map(|member| member.origin_id.clone());
    (response.id.clone(), OriginGroup { members: members.collect(), status_codes: codes.copied().collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_keeps_settings_that_the_spec_does_not_know() -> Result<()> {
        let stated: Origin = serde_json::from_str(r#"{"domainName": "b.s3.eu-west-1.amazonaws.com"}"#).unwrap();
        let mut live = put(&stated, "assets", None)?;
        assert_eq!(live.s3_origin_config.as_ref().map(|s3| s3.origin_access_identity.as_str()), Some(""));
        live.response_completion_timeout = Some(40);
        live.connection_attempts = Some(2);
        let again = put(&stated, "assets", Some(&live))?;
        assert_eq!((again.response_completion_timeout, again.connection_attempts), (Some(40), Some(2)));
        Ok(())
    }

    #[test]
    fn a_bucket_origin_can_become_a_web_server() -> Result<()> {
        let stated =
            r#"{"domainName": "lb.example.com", "customOriginConfig": {"originProtocolPolicy": "https-only"}}"#;
        let stated: Origin = serde_json::from_str(stated).unwrap();
        let bucket = sdk::S3OriginConfig::builder().origin_access_identity("").build();
        let live = sdk::Origin::builder().id("a").domain_name("b").s3_origin_config(bucket).build()?;
        let edited =
            put(&Origin { s3_origin_config: from_response(&live).1.s3_origin_config, ..stated }, "a", Some(&live))?;
        assert!(edited.s3_origin_config.is_none() && edited.custom_origin_config.is_some());
        Ok(())
    }
}
