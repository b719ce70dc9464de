//! The owner marker: ownership as text, for kinds without tags or without tags in the create call.

use std::collections::BTreeMap;

use holdfast_core::observed::tag;
use holdfast_core::schema::Named;

use crate::error::{Error, Result};
use crate::tags::Tags;

/// The prefix of every owner marker.
const PREFIX: &str = "holdfast:";

/// Writes the owner marker for these owner tags, without the source, in at most `limit` characters.
///
/// The form is `holdfast:<stack>/<env>/<name>#<generation>.<digest>`, with `!` at the end for a retained resource.
///
/// # Errors
/// When the marker is longer than `limit`.
pub fn write<K: Named>(tags: &Tags, limit: usize) -> Result<String> {
    let get = |key: &str| tags.get(key).map(String::as_str).unwrap_or_default();
    let retained = if tags.contains_key(tag::RETAINED) { "!" } else { "" };
    let rest = format!("#{}.{}{retained}", get(tag::GENERATION), get(tag::DIGEST));
    check_length::<K>(owner::<K>(tags) + &rest, limit)
}

/// Writes the caller reference of a create: the owner and a nonce that differs from earlier creates of the same address,
/// with `@<generation>` at the end for a replacement.
///
/// # Errors
/// When the reference is longer than `limit`.
pub fn reference<K: Named>(tags: &Tags, token: &str, limit: usize) -> Result<String> {
    let generation = tags.get(tag::GENERATION).filter(|generation| *generation != "1");
    let generation = generation.map(|generation| format!("@{generation}")).unwrap_or_default();
    let nonce: String = token.chars().take(8usize.saturating_sub(generation.len())).collect();
    check_length::<K>(format!("{}#{nonce}{generation}", owner::<K>(tags)), limit)
}

/// Reads the owner tags from an owner marker or a caller reference. Returns none for other texts.
pub fn read<K: Named>(text: &str) -> Option<Tags> {
    let (owner, rest) = text.strip_prefix(PREFIX)?.rsplit_once('#')?;
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

/// Splits a text that ends with an owner marker into the text and the owner tags.
pub fn split<K: Named>(text: &str) -> (&str, Tags) {
    let at = text.rfind(PREFIX).unwrap_or(text.len());
    match read::<K>(&text[at..]) {
        Some(tags) => (text[..at].trim_end(), tags),
        None => (text, Tags::new()),
    }
}

/// Appends the owner marker to a text.
///
/// # Errors
/// When the result is longer than `limit`.
pub fn join<K: Named>(text: &str, tags: &Tags, limit: usize) -> Result<String> {
    let owner_marker = write::<K>(tags, limit)?;
    check_length::<K>(format!("{text} {owner_marker}").trim_start().to_owned(), limit)
}

fn owner<K: Named>(tags: &Tags) -> String {
    let get = |key: &str| tags.get(key).map(String::as_str).unwrap_or_default();
    let name = get(tag::ADDRESS).trim_start_matches(K::KIND).trim_start_matches('/');
    format!("{PREFIX}{}/{}/{name}", get(tag::STACK), get(tag::ENV))
}

fn check_length<K: Named>(text: String, limit: usize) -> Result<String> {
    if text.chars().count() <= limit {
        return Ok(text);
    }
    let message = format!(
        "the owner marker `{text}` is longer than the {limit} characters that AWS accepts; \
         shorten the resource's name in the document, or the text before the marker"
    );
    Err(Error::terminal(K::KIND, message))
}
