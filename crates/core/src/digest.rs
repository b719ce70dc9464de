//! The digest of a rendered spec: it tells drift from an edit of the document.

use sha2::{Digest, Sha256};

use crate::document::Resource;
use crate::value::Value;

/// Length of a digest in hex digits: 64 bits, far past an accidental collision between two versions of one spec.
const DIGITS: usize = 16;

/// The digest of what the document says of a resource.
///
/// References count as addresses and templates as their source, so that a replaced dependency is
/// no edit of what refers to it.
pub fn of(resource: &Resource) -> String {
    let mut bindings = serde_json::Map::new();
    bind(&resource.spec, &mut bindings);
    // Which value a secret has is not what the document says: a run without its source is of the same document.
    let mut spec = resource.spec.clone();
    spec.fill_secrets("", &mut |_, _| None);
    text(&format!("{}\n{}\n{}\n{}", resource.name, resource.region, spec.json(), serde_json::Value::Object(bindings)))
}

/// What the templates in a value see, and what those see that they were given.
fn bind(value: &Value, bindings: &mut serde_json::Map<String, serde_json::Value>) {
    value.walk(&mut |value| {
        let Value::Deferred(deferred) = value else { return };
        for (name, bound) in &deferred.bindings {
            bindings.insert(format!("{} {name}", deferred.source), bound.json());
            bind(bound, bindings);
        }
    });
}

/// A client token for what has this identity: 32 hex digits, the shortest limit that AWS sets (ACM's).
pub fn token(identity: &str) -> String {
    hex(identity, 32)
}

/// The digest of any text.
pub fn text(text: &str) -> String {
    hex(text, DIGITS)
}

/// Rounds of the slow digest. Whoever guesses at a value pays this much for each guess
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
const ROUNDS: u32 = 600_000;

/// The slow digest of a secret value, from which nobody can tell the value.
pub fn slow(salt: &str, value: &str) -> [u8; 16] {
    pbkdf2::pbkdf2_hmac_array::<Sha256, 16>(value.as_bytes(), salt.as_bytes(), ROUNDS)
}

fn hex(text: &str, digits: usize) -> String {
    let mut hex: String = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(digits);
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known from another implementation: versions stand in tags, and stay what they are.
    #[test]
    fn the_slow_digest_is_pbkdf2_with_hmac_and_sha_256() {
        let hex: String = slow("s", "x").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "17344c01405af2f5f5b801337447a198");
    }
}
