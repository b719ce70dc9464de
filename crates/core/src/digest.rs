//! The digest of a rendered spec, which distinguishes drift from an edit of the document.

use sha2::{Digest, Sha256};

use crate::address::Address;
use crate::document::{Document, Resource};
use crate::value::Value;

/// The length of a digest in hex digits: 64 bits, so that an accidental collision between two versions of one spec is
/// practically impossible.
const DIGITS: usize = 16;

/// Returns the digest of a resource as the document describes it.
///
/// A reference counts as its address and a template as its source text. The replacement of a dependency is therefore
/// not an edit of its dependents.
pub fn of(resource: &Resource) -> String {
    let mut bindings = serde_json::Map::new();
    bind(&resource.spec, &mut bindings);
    // The version of a secret is not part of the document: a run without the secret's source must get the same digest.
    let mut spec = resource.spec.clone();
    spec.fill_secrets("", &mut |_, _| None);
    text(&format!("{}\n{}\n{}\n{}", resource.name, resource.region, spec.json(), serde_json::Value::Object(bindings)))
}

/// Returns the digest of a whole document: its resources, by their own digests, and its policy.
pub(crate) fn document<'a>(
    document: &Document,
    resources: impl IntoIterator<Item = (&'a Address, &'a String)>,
) -> String {
    let mut lines = vec![format!("{}/{} {} {:?}", document.stack, document.env, document.source, document.policy)];
    lines.extend(document.resources.values().map(|r| format!("{} {:?} {:?}", r.address, r.lifecycle, r.depends_on)));
    lines.extend(resources.into_iter().map(|(address, digest)| format!("{address} {digest}")));
    text(&lines.join("\n"))
}

/// Collects the bindings of the templates in a value, and the bindings of templates inside those bindings.
fn bind(value: &Value, bindings: &mut serde_json::Map<String, serde_json::Value>) {
    value.walk(&mut |value| {
        let Value::Deferred(deferred) = value else { return };
        for (name, bound) in &deferred.bindings {
            bindings.insert(format!("{} {name}", deferred.source), bound.json());
            bind(bound, bindings);
        }
    });
}

/// True for the version of a secret value that Holdfast wrote: a UUID of version 8, "custom" (RFC 9562). AWS's own
/// version ids are UUIDs of version 4.
pub fn is_secret_version(id: &str) -> bool {
    id.len() == 36 && id.as_bytes().get(14) == Some(&b'8')
}

/// Returns a client token for an identity: 32 hex digits, which is the shortest limit of all AWS services (ACM's).
pub fn token(identity: &str) -> String {
    hex(identity, 32)
}

/// Returns the digest of a text.
pub fn text(text: &str) -> String {
    hex(text, DIGITS)
}

/// The rounds of the slow digest: the cost of each guess in a brute-force attack
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
const ROUNDS: u32 = 600_000;

/// Returns the slow digest of a secret value. The value cannot be derived from it.
pub fn slow(salt: &str, value: &str) -> [u8; 16] {
    pbkdf2::pbkdf2_hmac_array::<Sha256, 16>(value.as_bytes(), salt.as_bytes(), ROUNDS)
}

/// Returns the first hex digits of the SHA-256 digest of a text.
fn hex(text: &str, digits: usize) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let halves = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.take(digits).filter_map(|half| char::from_digit(half.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_of_holdfast_is_a_custom_uuid() {
        assert!(is_secret_version("0a1b2c3d-0000-8000-9000-000000000000"));
        assert!(!is_secret_version("0a1b2c3d-0000-4000-8000-000000000000"), "a random UUID, as AWS makes them");
        assert!(!is_secret_version("8") && !is_secret_version(""));
    }

    /// The expected digest comes from another implementation. Versions are recorded in tags, so they must never change.
    #[test]
    fn the_slow_digest_is_pbkdf2_with_hmac_and_sha_256() {
        let hex: String = slow("s", "x").iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "17344c01405af2f5f5b801337447a198");
    }
}
