//! The file of a plan: `plan --out` writes it, and `reconcile --once --plan` makes its steps.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use holdfast_core::document::Document;
use holdfast_core::plan::Plan;
use holdfast_engine::pass::ApprovedPlan;
use serde::{Deserialize, Serialize};

use crate::arguments::GrantArgs;

/// The version of the format.
const FORMAT: &str = "holdfast/v1";

/// The content of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SavedPlan {
    api_version: String,
    kind: String,
    /// The version of Holdfast that made the plan. Another one can make another plan of the same facts.
    version: String,
    stack: String,
    env: String,
    digest: String,
    document_digest: String,
    /// The grants that the plan was made with.
    prune: bool,
    delete_data: bool,
    allow_replace: Vec<String>,
    /// The plan as `plan -o json` shows it, for people and other tools.
    plan: serde_json::Value,
}

/// Writes a plan to a file that only its owner can read, because a plan contains live values.
///
/// # Errors
/// When the file cannot be written.
pub(super) fn write(file: &Path, plan: &Plan, grants: &GrantArgs, json: serde_json::Value) -> anyhow::Result<()> {
    let ApprovedPlan { digest, document } = ApprovedPlan::of(plan);
    let saved = SavedPlan {
        api_version: FORMAT.to_owned(),
        kind: "Plan".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        stack: plan.stack.clone(),
        env: plan.env.clone(),
        digest,
        document_digest: document,
        prune: grants.prune,
        delete_data: grants.delete_data,
        allow_replace: grants.allow_replace.clone(),
        plan: json,
    };
    let text = serde_json::to_string_pretty(&saved)? + "\n";
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    open.and_then(|mut open| open.write_all(text.as_bytes())).with_context(|| file.display().to_string())
}

/// Reads the approval and the grants of a plan that was written for this stack and environment.
///
/// # Errors
/// When the file cannot be read, or is for another stack, environment or version of Holdfast.
pub(super) fn read(file: &Path, document: &Document) -> anyhow::Result<(ApprovedPlan, GrantArgs)> {
    let path = file.display();
    let text = std::fs::read_to_string(file).with_context(|| path.to_string())?;
    let way_out = "make a new plan with `holdfast plan --out`; nothing was changed";
    let saved: SavedPlan = serde_json::from_str(&text).with_context(|| format!("{path} is no plan; {way_out}"))?;
    if saved.api_version != FORMAT || saved.kind != "Plan" {
        bail!("{path} is no plan; {way_out}");
    }
    let (target, desired) = (format!("{}/{}", saved.stack, saved.env), format!("{}/{}", document.stack, document.env));
    if target != desired {
        bail!("{path} is the plan of {target}, and the document is {desired}; {way_out}");
    }
    let version = env!("CARGO_PKG_VERSION");
    if saved.version != version {
        bail!("{path} was made by version {} of Holdfast, and this is version {version}; {way_out}", saved.version);
    }
    let SavedPlan { prune, delete_data, allow_replace, digest, document_digest, .. } = saved;
    Ok((ApprovedPlan { digest, document: document_digest }, GrantArgs { allow_replace, prune, delete_data }))
}
