//! The secret store: the secret values that a document refers to, in memory only.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use holdfast_core::digest;
use holdfast_core::types::ValueFrom;

use crate::error::{Error, Result};
use crate::plain::Plain;

/// The secret values of a run. Only drivers read them.
#[derive(Clone, Default)]
pub struct SecretStore(Arc<Mutex<KeptSecrets>>);

#[derive(Default)]
struct KeptSecrets {
    values: HashMap<String, Plain>,
    /// The version of the value that each field had last: a value that did not change is not hashed again.
    versions: HashMap<String, String>,
}

impl SecretStore {
    /// Stores the value of a field and returns its version: a UUID that is the same for the same value of the same field,
    /// and that does not reveal the value. `field` names the stack, environment, resource and field.
    pub fn keep(&self, field: &str, value: String) -> String {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = kept.versions.get(field);
        if let Some(last) = last.filter(|last| kept.values.get(*last).is_some_and(|plain| plain.expose() == value)) {
            return last.clone();
        }
        let version = version(field, &value);
        kept.versions.insert(field.to_owned(), version.clone());
        kept.values.insert(version.clone(), Plain::new(value));
        version
    }

    /// The value that the document refers to.
    ///
    /// # Errors
    /// When the environment variable or the file that holds the value is missing in this process.
    pub fn value(&self, operation: &str, from: &ValueFrom) -> Result<Plain> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = from.version.as_ref().and_then(|version| kept.values.get(version)).cloned();
        found.ok_or_else(|| {
            let message = match (&from.env, &from.file) {
                (Some(env), _) => {
                    format!("the environment variable `{env}`, which holds the value, is not set in this process")
                }
                (_, Some(file)) => format!("the file `{file}`, which holds the value, cannot be read by this process"),
                _ => "the document does not say where the value comes from".into(),
            };
            Error::terminal(operation, message)
        })
    }
}

impl fmt::Debug for SecretStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretStore(…)")
    }
}

/// A slow hash, because versions are visible in tags and plans, where values could be guessed.
fn version(field: &str, value: &str) -> String {
    uuid(digest::slow(&format!("holdfast {field}"), value))
}

/// Formats 16 bytes as a UUID of version 8, "custom" (RFC 9562).
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
    fn a_version_differs_by_value_and_field_and_reveals_neither() -> Result<()> {
        let secret_store = SecretStore::default();
        let one = secret_store.keep("shop/prod Secret/app valueFrom", "hunter2".into());
        assert_eq!((one.len(), one.matches('-').count()), (36, 4));
        assert_eq!(one, version("shop/prod Secret/app valueFrom", "hunter2"));
        assert_ne!(one, version("shop/prod Secret/app valueFrom", "hunter3"));
        assert_ne!(one, version("shop/test Secret/app valueFrom", "hunter2"));
        let from = ValueFrom { version: Some(one), ..ValueFrom::default() };
        let plain = secret_store.value("", &from)?;
        assert_eq!(plain.expose(), "hunter2");
        assert_eq!(format!("{secret_store:?} {plain:?}"), "SecretStore(…) (secret)");
        let unset = ValueFrom { env: Some("TOKEN".into()), ..ValueFrom::default() };
        let refused = secret_store.value("ssm.PutParameter", &unset).err().map(|error| error.0.message);
        assert_eq!(
            refused.as_deref(),
            Some("the environment variable `TOKEN`, which holds the value, is not set in this process")
        );
        Ok(())
    }

    #[test]
    fn a_value_that_did_not_change_is_not_hashed_again() {
        let secret_store = SecretStore::default();
        let keep = |value: &str| {
            let began = std::time::Instant::now();
            (secret_store.keep("shop/prod Secret/app valueFrom", value.into()), began.elapsed())
        };
        let (one, hashed) = keep("hunter2");
        let (again, kept) = keep("hunter2");
        assert_eq!(one, again);
        assert!(kept < hashed / 10, "{kept:?} after {hashed:?}");
        assert_ne!(keep("hunter3").0, one);
        assert_eq!(keep("hunter2").0, one, "an earlier value has its earlier version again");
    }
}
