//! The version of a cache engine, compared without the patch version, which AWS chooses.

use holdfast_core::schema::{Type, Typed};
use holdfast_core::value::Value;
use serde::{Deserialize, Serialize};

/// A version of Valkey or Redis OSS. Since version 6 it consists of a major and a minor number: AWS chooses and
/// upgrades the patch version (<https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/engine-versions.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct EngineVersion(pub(crate) String);

impl Typed for EngineVersion {
    const TYPE: Type = Type::Canonical { name: "engine version", canonical };
}

fn canonical(value: &Value) -> Result<Value, String> {
    let Value::Text(text) = value else { return Err("an engine version is a string: put it in quotes".into()) };
    let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
    match numbers.as_deref() {
        Some([major, minor] | [major, minor, _]) if *major >= 6 => Ok(Value::Text(format!("{major}.{minor}"))),
        Some([_, _, _]) => Ok(value.clone()),
        _ => Err(format!("`{text}` is not an engine version: write `7.1`, or `5.0.6` for a version before 6.0")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Value, String> {
        canonical(&Value::Text(text.into()))
    }

    #[test]
    fn the_patch_version_is_ignored_since_version_6() {
        assert_eq!(one("7.0"), one("7.0.7"));
        assert_ne!(one("7.0.7"), one("7.1.0"));
        assert_ne!(one("5.0.5"), one("5.0.6"));
        assert!(one("6.x").is_err() && one("7").is_err() && one("5.0").is_err());
    }
}
