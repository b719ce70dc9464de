//! Values made of the operating system's randomness, for what nobody has to know.

use holdfast_base::error::{Error, Result};
use holdfast_base::vault::{Plain, uuid};
use holdfast_core::Spec;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};

/// How a value is made. The words are those of GetRandomPassword
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetRandomPassword.html>),
/// but the value is made here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Generate {
    /// Its length in characters: 32 unless stated, at most 4,096.
    length: Option<i32>,
    /// Characters that it does not have.
    exclude_characters: Option<String>,
    /// Whether it is without digits.
    exclude_numbers: Option<bool>,
    /// Whether it is without punctuation.
    exclude_punctuation: Option<bool>,
    /// Whether it is without upper case letters.
    exclude_uppercase: Option<bool>,
    /// Whether it is without lower case letters.
    exclude_lowercase: Option<bool>,
    /// Whether it may have spaces.
    include_space: Option<bool>,
    /// Whether it has at least one character of each sort; `true` unless stated.
    require_each_included_type: Option<bool>,
}

/// The sorts of characters, as GetRandomPassword has them.
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";
const PUNCTUATION: &str = r##"!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~"##;

impl Generate {
    /// A new value.
    pub(crate) fn make(&self, operation: &str) -> Result<Plain> {
        let Generate {
            length,
            exclude_characters,
            exclude_numbers,
            exclude_punctuation,
            exclude_uppercase,
            exclude_lowercase,
            include_space,
            require_each_included_type,
        } = self;
        let sorts = [
            (LOWER, exclude_lowercase.unwrap_or(false)),
            (UPPER, exclude_uppercase.unwrap_or(false)),
            (DIGITS, exclude_numbers.unwrap_or(false)),
            (PUNCTUATION, exclude_punctuation.unwrap_or(false)),
            (" ", !include_space.unwrap_or(false)),
        ];
        let excluded = exclude_characters.as_deref().unwrap_or_default();
        let kept = |sort: &str| sort.bytes().filter(|c| !excluded.as_bytes().contains(c)).collect::<Vec<u8>>();
        let sorts: Vec<Vec<u8>> = sorts.iter().filter(|(_, excluded)| !excluded).map(|(sort, _)| kept(sort)).collect();
        let sorts: Vec<Vec<u8>> = sorts.into_iter().filter(|sort| !sort.is_empty()).collect();
        let all: Vec<u8> = sorts.concat();
        let length = usize::try_from(length.unwrap_or(32)).unwrap_or_default();
        if all.is_empty() || length < sorts.len() || length > 4096 {
            let message = format!("a value of {length} characters cannot be made of what is left of them");
            return Err(Error::terminal(operation, message));
        }
        // Whole values are drawn until one has all sorts: to put one of each in place would favour them.
        let each = require_each_included_type.unwrap_or(true);
        loop {
            let drawn = (0..length).map(|_| draw(&all, operation)).collect::<Result<Vec<u8>>>()?;
            if !each || sorts.iter().all(|sort| drawn.iter().any(|c| sort.contains(c))) {
                return Ok(Plain::new(drawn.into_iter().map(char::from).collect::<String>()));
            }
        }
    }
}

/// One of these characters, each as likely as the others.
fn draw(all: &[u8], operation: &str) -> Result<u8> {
    // Of 256 values the last few that do not divide evenly are drawn again.
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
    filled.map_err(|_| Error::terminal(operation, "the operating system gives no randomness"))?;
    Ok(bytes)
}

/// A new version id: it tells nothing of a value.
pub(crate) fn version_id(operation: &str) -> Result<String> {
    random(operation).map(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_what_was_asked_for() -> Result<()> {
        let plain = Generate { length: Some(6), ..Generate::default() }.make("")?;
        let has = |sort: &str| plain.expose().chars().any(|c| sort.contains(c));
        assert!(plain.expose().len() == 6 && [LOWER, UPPER, DIGITS, PUNCTUATION].into_iter().all(has));
        let some = Generate {
            exclude_punctuation: Some(true),
            exclude_uppercase: Some(true),
            exclude_numbers: Some(true),
            exclude_characters: Some("abcdefghijklmnopqrstuvwx".into()),
            ..Generate::default()
        };
        assert!(some.make("")?.expose().chars().all(|c| "yz".contains(c)));
        assert_ne!(Generate::default().make("")?, Generate::default().make("")?);
        assert!(Generate { length: Some(3), ..Generate::default() }.make("").is_err());
        Ok(())
    }
}
