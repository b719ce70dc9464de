//! The history as JSON, as every store keeps it.

use std::borrow::Borrow;

use serde::{Deserialize, Serialize};

use crate::store::History;

/// The format of a history. A history without a format was written before version 0.1.0. The fields have the names of
/// that time as aliases.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct FileContent<H> {
    #[serde(default)]
    format: u32,
    #[serde(flatten)]
    history: H,
}

/// Writes a history as JSON.
///
/// # Errors
/// None in practice: a history is always valid JSON.
pub fn encode(history: impl Borrow<History>) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec_pretty(&FileContent { format: FORMAT, history: history.borrow() })
}

/// Reads a history from JSON.
///
/// # Errors
/// Returns a description of the error when the JSON is not valid, or has the format of a later version.
pub fn decode(bytes: &[u8]) -> Result<History, String> {
    let content: FileContent<History> =
        serde_json::from_slice(bytes).map_err(|error| format!("this is not valid: {error}"))?;
    match content.format > FORMAT {
        true => Err(format!(
            "this has format {}, and this version of Holdfast reads formats up to {FORMAT}: use the version that wrote \
             it, or a later one",
            content.format
        )),
        false => Ok(content.history),
    }
}
