//! Tests of the kinds whose owner is recorded by a marker in their text.

use holdfast_base::error::Result;
use holdfast_base::kind::Live;
use holdfast_base::tagging::Tags;
use holdfast_core::observed::tag;

use super::cache_policy::CachePolicy;
use super::origin_access_control::OriginAccessControl;
use super::origin_request_policy::OriginRequestPolicy;
use super::policy::{Policy, live, marked, put};
use super::response_headers_policy::ResponseHeadersPolicy;

fn owner<K: Policy>() -> Tags {
    Tags::from([
        (tag::STACK.into(), "shop".into()),
        (tag::ENV.into(), "prod".into()),
        (tag::ADDRESS.into(), format!("{}/web", K::KIND)),
        (tag::GENERATION.into(), "1".into()),
        (tag::DIGEST.into(), "0123456789abcdef".into()),
    ])
}

fn spec<K: Policy>(json: &str) -> K {
    serde_json::from_str(json).expect("a spec")
}

/// Writes a spec, and reads it back with its owner.
fn roundtrip<K: Policy>(json: &str) -> Result<()> {
    let spec: K = spec(json);
    let mut config = K::new("web")?;
    put(&mut config, &spec, &owner::<K>())?;
    let live: Live<K> = live("id".into(), config);
    assert_eq!((live.name.as_str(), live.tags), ("web", owner::<K>()));
    assert_eq!(serde_json::to_value(&live.spec).expect("JSON"), serde_json::to_value(&spec).expect("JSON"));
    Ok(())
}

#[test]
fn the_owner_marker_follows_the_text() -> Result<()> {
    roundtrip::<CachePolicy>(
        r#"{"comment": "Images", "minTTL": 1, "parametersInCacheKeyAndForwardedToOrigin":
        {"headersConfig": {"headerBehavior": "whitelist", "headers": ["Accept"]}}}"#,
    )?;
    roundtrip::<OriginRequestPolicy>(r#"{"comment": "All", "queryStringsConfig": {"queryStringBehavior": "all"}}"#)?;
    roundtrip::<ResponseHeadersPolicy>(
        r#"{"comment": "Strict", "securityHeadersConfig": {"frameOptions": {"frameOption": "DENY"}},
        "customHeadersConfig": {"X-A": {"value": "b"}}}"#,
    )?;
    roundtrip::<OriginAccessControl>(r#"{"description": "Assets"}"#)
}

#[test]
fn an_owner_marker_that_does_not_fit_is_refused() {
    let with = |text: String| spec::<OriginAccessControl>(&format!(r#"{{"description": "{text}"}}"#));
    let owner = owner::<OriginAccessControl>();
    assert!(marked(&with("short".into()), &owner).is_ok());
    assert!(marked(&with("long".repeat(63)), &owner).is_err());
}

#[test]
fn a_released_policy_has_no_marker() -> Result<()> {
    let spec: CachePolicy = spec(r#"{"comment": "Images"}"#);
    assert_eq!(marked(&spec, &Tags::new())?, "Images");
    Ok(())
}
