//! Secret values in memory: their `Debug` output and the error messages of AWS do not show them.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The secret values of this process, so that an error message of AWS that quotes one can be redacted.
static SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The shortest value that is redacted, in bytes. Shorter values occur in too many texts by chance.
const MIN_REDACTED_LENGTH: usize = 4;

/// Redacts the secret values in a text, plain or as JSON escapes them: validation errors quote the refused value.
pub(crate) fn without_secrets(mut text: String) -> String {
    for value in SECRETS.lock().unwrap_or_else(PoisonError::into_inner).iter().rev() {
        if text.contains(value.as_str()) {
            text = text.replace(value.as_str(), "(secret)");
        }
    }
    text
}

/// A secret value for one API call. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Plain(String);

impl Plain {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Plain {
        let value = value.into();
        if value.len() >= MIN_REDACTED_LENGTH {
            let mut seen = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
            let quoted = serde_json::Value::from(value.as_str()).to_string();
            seen.insert(quoted[1..quoted.len() - 1].to_owned());
            seen.insert(value.clone());
        }
        Plain(value)
    }

    /// The value, for the API call that takes it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_message_is_redacted() {
        let value = Plain::new(r#"pass"word-7c1f"#);
        let text = format!("Value '{}' of {{\"a\":\"pass\\\"word-7c1f\"}}", value.expose());
        assert_eq!(without_secrets(text), r#"Value '(secret)' of {"a":"(secret)"}"#);
    }
}
