//! Secret values that a document only names: in memory, for the one call that takes each.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_core::digest;
use holdfast_core::types::ValueFrom;

use crate::error::{Error, Result};

/// What this process has seen of secret values, so that an error of AWS that says one back can be told without it.
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Shorter ones are in too many texts by chance, and are worth little.
const SHORTEST: usize = 4;

/// The text without the secret values in it, as they are or as JSON has them: validation errors quote what they refuse.
pub(crate) fn without_secrets(mut text: String) -> String {
    for value in SEEN.lock().unwrap_or_else(PoisonError::into_inner).iter().rev() {
        if text.contains(value.as_str()) {
            text = text.replace(value.as_str(), "(secret)");
        }
    }
    text
}

/// A secret value on its way to the call that takes it. It shows itself to nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Plain(String);

impl Plain {
    /// Hides a value.
    pub fn new(value: impl Into<String>) -> Plain {
        let value = value.into();
        if value.len() >= SHORTEST {
            let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
            let quoted = serde_json::Value::from(value.as_str()).to_string();
            seen.insert(quoted[1..quoted.len() - 1].to_owned());
            seen.insert(value.clone());
        }
        Plain(value)
    }

    /// The value, for the one call that takes it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The secret values of a run, by version. It shows them to nobody but the driver.
#[derive(Clone, Default)]
pub struct Vault(Arc<Mutex<HashMap<String, Plain>>>);

impl Vault {
    /// Keeps a value of a place (a stack's, environment's, resource's field) and returns its version: a UUID that is
    /// the same for the same value at the same place, and from which the value cannot be told.
    pub fn keep(&self, place: &str, value: String) -> String {
        let version = version(place, &value);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(version.clone(), Plain::new(value));
        version
    }

    /// The value that the document names.
    pub fn value(&self, operation: &str, from: &ValueFrom) -> Result<Plain> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = from.version.as_ref().and_then(|version| kept.get(version)).cloned();
        found.ok_or_else(|| {
            let message = match (&from.env, &from.file) {
                (Some(env), _) => format!("the environment variable `{env}`, which has the value, is not set here"),
                (_, Some(file)) => format!("the file `{file}`, which has the value, cannot be read here"),
                _ => "nothing says where the value comes from".into(),
            };
            Error::terminal(operation, message)
        })
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault(…)")
    }
}

/// Versions stand in tags and plans, where people may guess at values.
fn version(place: &str, value: &str) -> String {
    uuid(digest::slow(&format!("holdfast {place}"), value))
}

/// 16 bytes in the form of a UUID: of version 8, "custom" (RFC 9562).
pub fn uuid(mut id: [u8; 16]) -> String {
    id[6] = id[6] & 0x0f | 0x80;
    id[8] = id[8] & 0x3f | 0x80;
    let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_without_the_values_that_it_quotes() {
        let value = Plain::new(r#"pass"word-7c1f"#);
        let text = format!("Value '{}' of {{\"a\":\"pass\\\"word-7c1f\"}}", value.expose());
        assert_eq!(without_secrets(text), r#"Value '(secret)' of {"a":"(secret)"}"#);
    }

    #[test]
    fn a_version_tells_values_and_places_apart_and_shows_neither() -> Result<()> {
        let vault = Vault::default();
        let one = vault.keep("shop/prod Secret/app valueFrom", "hunter2".into());
        assert_eq!((one.len(), one.matches('-').count()), (36, 4));
        assert_eq!(one, version("shop/prod Secret/app valueFrom", "hunter2"));
        assert_ne!(one, version("shop/prod Secret/app valueFrom", "hunter3"));
        assert_ne!(one, version("shop/test Secret/app valueFrom", "hunter2"));
        let from = ValueFrom { version: Some(one), ..ValueFrom::default() };
        let plain = vault.value("", &from)?;
        assert_eq!(plain.expose(), "hunter2");
        assert_eq!(format!("{vault:?} {plain:?}"), "Vault(…) (secret)");
        let unset = ValueFrom { env: Some("TOKEN".into()), ..ValueFrom::default() };
        let refused = vault.value("ssm.PutParameter", &unset).err().map(|error| error.0.message);
        assert_eq!(refused.as_deref(), Some("the environment variable `TOKEN`, which has the value, is not set here"));
        Ok(())
    }
}
