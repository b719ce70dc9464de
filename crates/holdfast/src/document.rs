//! Documents: loaded from the file system, and watched for changes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{anyhow, bail};
use holdfast_aws::SecretStore;
use holdfast_core::address::Address;
use holdfast_core::diagnostic::{Diagnostics, suggest};
use holdfast_core::document::Document;
use holdfast_core::load::{FileSource, Request};
use holdfast_core::render::{self, Rendered};
use holdfast_engine::daemon::Reload;
use holdfast_report::counted;

use crate::arguments::DocumentArgs;
use crate::secrets;

/// The file system, as the source of documents.
pub(crate) struct Files;

impl FileSource for Files {
    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(path).map_err(|error| error.to_string())
    }

    fn is_dir(&self, path: &str) -> bool {
        Path::new(path).is_dir()
    }

    fn list(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }
}

/// Renders a document, or returns all its errors as text.
pub(crate) fn render(args: &DocumentArgs) -> anyhow::Result<Rendered> {
    try_render(args).map_err(|errors| anyhow!("{}", describe(&errors)))
}

/// Renders a document, or returns all its errors.
pub(crate) fn try_render(args: &DocumentArgs) -> Result<Rendered, Diagnostics> {
    let request = Request { path: &args.path, env: &args.env, set: &args.set, source: &args.source };
    render::document(&Files, &request, &holdfast_aws::registry())
}

/// Renders a document, and reads the secret values that it refers to.
pub(crate) fn load(args: &DocumentArgs, secret_store: &SecretStore) -> anyhow::Result<Rendered> {
    try_load(args, secret_store).map_err(|errors| anyhow!("{}", describe(&errors)))
}

fn try_load(args: &DocumentArgs, secret_store: &SecretStore) -> Result<Rendered, Diagnostics> {
    let mut rendered = try_render(args)?;
    secrets::fill(&mut rendered.document, secret_store);
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

/// A document whose files are watched for changes, by their modification times.
pub(crate) struct WatchedDocument {
    args: DocumentArgs,
    secret_store: SecretStore,
    times: BTreeMap<String, Option<SystemTime>>,
}

impl WatchedDocument {
    /// Watches these files from now on.
    pub(crate) fn new(args: DocumentArgs, files: &BTreeSet<String>, secret_store: SecretStore) -> Self {
        WatchedDocument { args, secret_store, times: times(files) }
    }
}

/// Returns the modification time of each file, or `None` for a file that does not exist.
fn times(files: &BTreeSet<String>) -> BTreeMap<String, Option<SystemTime>> {
    files.iter().map(|file| (file.clone(), fs::metadata(file).and_then(|m| m.modified()).ok())).collect()
}

impl Reload for WatchedDocument {
    fn changed(&mut self) -> Option<Result<Document, String>> {
        let files: BTreeSet<String> = self.times.keys().cloned().collect();
        let now = times(&files);
        if now == self.times {
            return None;
        }
        match try_load(&self.args, &self.secret_store) {
            Ok(rendered) => {
                self.times = times(&rendered.files);
                Some(Ok(rendered.document))
            }
            Err(errors) => {
                self.times = now;
                self.times.extend(times(&errors.files().map(str::to_owned).collect()));
                Some(Err(holdfast_report::diagnostics::text(&errors, false)))
            }
        }
    }
}

/// Returns the names of a stack's environments.
pub(crate) fn environments(path: &str) -> Vec<String> {
    if Files.is_dir(path) || Path::new(path).exists() {
        holdfast_core::load::environments(&Files, path)
    } else {
        vec![]
    }
}
