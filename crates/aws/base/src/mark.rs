//! The owner as a text, for what takes no tags, or none in its create call.

use std::collections::BTreeMap;

use holdfast_core::observed::tag;

use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::tagging::Tags;

/// What every mark begins with.
const SIGN: &str = "holdfast:";

/// The mark that says what these owner tags say (the origin apart), for a text of at most `limit` characters:
/// `holdfast:<stack>/<env>/<name>#<generation>.<digest>`, with a `!` at the end of what stays.
pub fn write<K: Kind>(tags: &Tags, limit: usize) -> Result<String> {
    let get = |key: &str| tags.get(key).map(String::as_str).unwrap_or_default();
    let retained = if tags.contains_key(tag::RETAINED) { "!" } else { "" };
    let rest = format!("#{}.{}{retained}", get(tag::GENERATION), get(tag::DIGEST));
    fit::<K>(owner::<K>(tags) + &rest, limit)
}

/// The caller reference of a create: the owner, and what makes it differ from earlier ones of the same address, with
/// `@<generation>` at the end of what takes the place of another.
pub fn reference<K: Kind>(tags: &Tags, token: &str, limit: usize) -> Result<String> {
    let generation = tags.get(tag::GENERATION).filter(|generation| *generation != "1");
    let generation = generation.map(|generation| format!("@{generation}")).unwrap_or_default();
    let nonce: String = token.chars().take(8usize.saturating_sub(generation.len())).collect();
    fit::<K>(format!("{}#{nonce}{generation}", owner::<K>(tags)), limit)
}

/// The owner tags that a mark or a caller reference stands for; none when it is not one of ours.
pub fn read<K: Kind>(text: &str) -> Option<Tags> {
    let (owner, rest) = text.strip_prefix(SIGN)?.rsplit_once('#')?;
    let (stack, owner) = owner.split_once('/')?;
    let (env, name) = owner.split_once('/')?;
    let mut tags = BTreeMap::from([
        (tag::STACK.to_owned(), stack.to_owned()),
        (tag::ENV.to_owned(), env.to_owned()),
        (tag::ADDRESS.to_owned(), format!("{}/{name}", K::KIND)),
    ]);
    if let Some((generation, digest)) = rest.trim_end_matches('!').split_once('.') {
        tags.insert(tag::GENERATION.to_owned(), generation.to_owned());
        tags.insert(tag::DIGEST.to_owned(), digest.to_owned());
    }
    if let Some((_, generation)) = rest.split_once('@') {
        tags.insert(tag::GENERATION.to_owned(), generation.to_owned());
    }
    if rest.ends_with('!') {
        tags.insert(tag::RETAINED.to_owned(), "true".to_owned());
    }
    Some(tags)
}

/// A text with a mark at its end, as the text alone and the owner tags.
pub fn split<K: Kind>(text: &str) -> (&str, Tags) {
    let at = text.rfind(SIGN).unwrap_or(text.len());
    match read::<K>(&text[at..]) {
        Some(tags) => (text[..at].trim_end(), tags),
        None => (text, Tags::new()),
    }
}

/// A text with the mark at its end.
pub fn join<K: Kind>(text: &str, tags: &Tags, limit: usize) -> Result<String> {
    let mark = write::<K>(tags, limit)?;
    fit::<K>(format!("{text} {mark}").trim_start().to_owned(), limit)
}

fn owner<K: Kind>(tags: &Tags) -> String {
    let get = |key: &str| tags.get(key).map(String::as_str).unwrap_or_default();
    let name = get(tag::ADDRESS).trim_start_matches(K::KIND).trim_start_matches('/');
    format!("{SIGN}{}/{}/{name}", get(tag::STACK), get(tag::ENV))
}

fn fit<K: Kind>(text: String, limit: usize) -> Result<String> {
    if text.chars().count() <= limit {
        return Ok(text);
    }
    let message = format!(
        "`{text}`, by which its owner is known, is longer than the {limit} characters that AWS takes; \
         shorten its name in the document, or its own text"
    );
    Err(Error::terminal(K::KIND, message))
}
