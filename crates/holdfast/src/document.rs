//! Documents, loaded from the file system.

use std::path::Path;

use anyhow::{anyhow, bail};
use holdfast_aws::SecretStore;
use holdfast_core::address::Address;
use holdfast_core::diagnostic::{Diagnostics, suggest};
use holdfast_core::document::Document;
use holdfast_core::load::Request;
use holdfast_core::render::{self, Rendered};
use holdfast_report::counted;

use crate::arguments::DocumentArgs;
use crate::files::Files;
use crate::secrets;

/// Renders a document, or returns all its errors as text.
pub(crate) fn render(args: &DocumentArgs) -> anyhow::Result<Rendered> {
    try_render(args).map_err(|errors| anyhow!("{}", describe(&errors)))
}

/// Renders a document, or returns all its errors.
pub(crate) fn try_render(args: &DocumentArgs) -> Result<Rendered, Diagnostics> {
    render_files(args, &files_of(args))
}

/// Returns the files that a document may read.
pub(crate) fn files_of(args: &DocumentArgs) -> Files {
    Files::new(&args.path, &args.reading.allow_files_from)
}

fn render_files(args: &DocumentArgs, files: &Files) -> Result<Rendered, Diagnostics> {
    let request = Request { path: &args.path, env: &args.env, set: &args.set, source: &args.source };
    render::document(files, &request, &holdfast_aws::registry())
}

/// Renders a document, and reads the secret values that it refers to.
pub(crate) fn load(args: &DocumentArgs, secret_store: &SecretStore) -> anyhow::Result<Rendered> {
    try_load(args, secret_store, &files_of(args)).map_err(|errors| anyhow!("{}", describe(&errors)))
}

/// Renders a document from these files, and reads the secret values that it refers to. All errors are returned.
pub(crate) fn try_load(
    args: &DocumentArgs,
    secret_store: &SecretStore,
    files: &Files,
) -> Result<Rendered, Diagnostics> {
    let mut rendered = render_files(args, files)?;
    secrets::fill(&mut rendered.document, secret_store, files);
    rendered.files.extend(secrets::files(&rendered.document));
    Ok(rendered)
}

/// Returns all errors of a document as text, in colours. The output stream removes the colours if it is not a terminal.
pub(crate) fn describe(errors: &Diagnostics) -> String {
    let count = counted(errors.len(), "error");
    format!(
        "{}\n\n{count}; nothing was planned and nothing was changed",
        holdfast_report::diagnostics::text(errors, true)
    )
}

/// Checks that a document has an address.
///
/// # Errors
/// When it has not: the error suggests a similar address.
pub(crate) fn check_address(address: &Address, document: &Document) -> anyhow::Result<()> {
    if document.resources.contains_key(address) {
        return Ok(());
    }
    let known: Vec<String> = document.resources.keys().map(ToString::to_string).collect();
    let help = suggest(&address.to_string(), known.iter().map(String::as_str));
    let help = help.unwrap_or_else(|| "`holdfast render` lists the addresses".to_owned());
    bail!("the document has no {address}; {help}; nothing was changed")
}

/// Returns the names of a stack's environments.
pub(crate) fn environments(path: &str) -> Vec<String> {
    if Path::new(path).exists() { holdfast_core::load::environments(&Files::new(path, &[]), path) } else { vec![] }
}
