//! Values generated from the operating system's random bytes, which no person has to know.

use holdfast_base::error::{Error, Result};
use holdfast_base::plain::Plain;
use holdfast_base::secret_store::uuid;
use holdfast_core::Spec;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// A generated value. The fields have the names of GetRandomPassword's parameters
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html>), but Holdfast
/// generates the value itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct GenerateSecretString {
    /// The length in characters; the default is 32.
    #[spec(range = 1..=4096)]
    length: Option<i32>,
    /// Characters that the value does not contain.
    #[spec(length = ..=4096)]
    exclude_characters: Option<String>,
    /// Whether the value contains no digits.
    exclude_numbers: Option<bool>,
    /// Whether the value contains no punctuation.
    exclude_punctuation: Option<bool>,
    /// Whether the value contains no upper case letters.
    exclude_uppercase: Option<bool>,
    /// Whether the value contains no lower case letters.
    exclude_lowercase: Option<bool>,
    /// Whether the value may contain spaces.
    include_space: Option<bool>,
    /// Whether the value contains at least one character of each included type; the default is `true`.
    require_each_included_type: Option<bool>,
}

// The character types of GetRandomPassword.
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##;

impl GenerateSecretString {
    /// Returns a new value.
    pub(crate) fn new_value(&self, operation: &str) -> Result<Plain> {
        let GenerateSecretString {
            length,
            exclude_characters,
            exclude_numbers,
            exclude_punctuation,
            exclude_uppercase,
            exclude_lowercase,
            include_space,
            require_each_included_type,
        } = self;
        let types = [
            (LOWER, exclude_lowercase.unwrap_or(false)),
            (UPPER, exclude_uppercase.unwrap_or(false)),
            (DIGITS, exclude_numbers.unwrap_or(false)),
            (PUNCTUATION, exclude_punctuation.unwrap_or(false)),
            (" ", !include_space.unwrap_or(false)),
        ];
        let excluded = exclude_characters.as_deref().unwrap_or_default();
        let allowed =
            |characters: &str| characters.bytes().filter(|c| !excluded.as_bytes().contains(c)).collect::<Vec<u8>>();
        let types = types.iter().filter(|(_, excluded)| !excluded).map(|(characters, _)| allowed(characters));
        let types: Vec<Vec<u8>> = types.filter(|characters| !characters.is_empty()).collect();
        let all: Vec<u8> = types.concat();
        let length = usize::try_from(length.unwrap_or(32)).unwrap_or_default();
        if all.is_empty() || length < types.len() || length > 4096 {
            let message = format!(
                "cannot generate a value of {length} characters: change `length` (at most 4,096), or exclude fewer \
                 characters"
            );
            return Err(Error::terminal(operation, message));
        }
        // Draw whole values until one contains every type. Placing one character of each type would favour such values.
        let each = require_each_included_type.unwrap_or(true);
        loop {
            let drawn = (0..length).map(|_| draw(&all, operation)).collect::<Result<Vec<u8>>>()?;
            if !each || types.iter().all(|characters| drawn.iter().any(|c| characters.contains(c))) {
                return Ok(Plain::new(drawn.into_iter().map(char::from).collect::<String>()));
            }
        }
    }
}

/// Draws one of these characters with equal probability.
fn draw(all: &[u8], operation: &str) -> Result<u8> {
    // The last few of 256 values would favour some characters, unless 256 is a multiple of their number: draw again.
    let fair = 256 - 256 % all.len();
    loop {
        let byte = usize::from(random::<1>(operation)?[0]);
        if byte < fair {
            return Ok(all[byte % all.len()]);
        }
    }
}

fn random<const N: usize>(operation: &str) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::terminal(operation, "the operating system returned no random bytes"))?;
    Ok(bytes)
}

/// Returns a new random version id, which reveals nothing about the value.
pub(crate) fn version_id(operation: &str) -> Result<String> {
    random(operation).map(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_values_have_the_requested_length_and_characters() -> Result<()> {
        let plain = GenerateSecretString { length: Some(6), ..GenerateSecretString::default() }.new_value("")?;
        let has = |characters: &str| plain.expose().chars().any(|c| characters.contains(c));
        assert!(plain.expose().len() == 6 && [LOWER, UPPER, DIGITS, PUNCTUATION].into_iter().all(has));
        let restricted = GenerateSecretString {
            exclude_punctuation: Some(true),
            exclude_uppercase: Some(true),
            exclude_numbers: Some(true),
            exclude_characters: Some("abcdefghijklmnopqrstuvwx".into()),
            ..GenerateSecretString::default()
        };
        assert!(restricted.new_value("")?.expose().chars().all(|c| "yz".contains(c)));
        assert_ne!(GenerateSecretString::default().new_value("")?, GenerateSecretString::default().new_value("")?);
        assert!(GenerateSecretString { length: Some(3), ..GenerateSecretString::default() }.new_value("").is_err());
        Ok(())
    }
}
