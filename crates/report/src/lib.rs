//! The presentation of documents, plans, observations and kinds: text for people, JSON for machines, Markdown for pull
//! requests and the manual, diagrams, and the JSON Schema for editors.
//!
//! The planner does not depend on this crate, so a change of a report cannot change a plan.

mod changes;
pub mod diagnostics;
pub mod diagram;
pub mod explain;
mod groups;
pub mod json;
pub mod json_schema;
pub mod markdown;
pub mod text;

/// Returns JSON as YAML.
///
/// # Errors
/// Returns an error when a map has keys that YAML cannot represent. The JSON of this crate has none.
pub fn yaml(json: &serde_json::Value) -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string(json)
}

#[cfg(test)]
mod tests {
    pub(crate) mod kinds;
}
