//! Documents: loaded from the file system, and watched for changes.

use std::cell::RefCell;
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

/// The modification time of each file, or `None` for a file that does not exist.
type ModificationTimes = BTreeMap<String, Option<SystemTime>>;

/// The file system, as the source of documents. It notes the modification time of each file before it reads the file,
/// so that a change during or after the read is noticed.
#[derive(Default)]
pub(crate) struct Files {
    times: RefCell<ModificationTimes>,
}

impl FileSource for Files {
    fn read(&self, path: &str) -> Result<String, String> {
        self.times.borrow_mut().entry(path.to_owned()).or_insert_with(|| modified(path));
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
    render_files(args, &Files::default())
}

fn render_files(args: &DocumentArgs, files: &Files) -> Result<Rendered, Diagnostics> {
    let request = Request { path: &args.path, env: &args.env, set: &args.set, source: &args.source };
    render::document(files, &request, &holdfast_aws::registry())
}

/// Renders a document, and reads the secret values that it refers to.
pub(crate) fn load(args: &DocumentArgs, secret_store: &SecretStore) -> anyhow::Result<Rendered> {
    try_load(args, secret_store, &Files::default()).map_err(|errors| anyhow!("{}", describe(&errors)))
}

fn try_load(args: &DocumentArgs, secret_store: &SecretStore, files: &Files) -> Result<Rendered, Diagnostics> {
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

/// A document whose files are watched for changes, by their modification times.
pub(crate) struct WatchedDocument {
    args: DocumentArgs,
    secret_store: SecretStore,
    times: ModificationTimes,
}

impl WatchedDocument {
    /// Loads a document, and watches its files from then on.
    ///
    /// # Errors
    /// Returns all errors of the document.
    pub(crate) fn load(args: DocumentArgs, secret_store: SecretStore) -> anyhow::Result<(Document, Self)> {
        let files = Files::default();
        let rendered = try_load(&args, &secret_store, &files).map_err(|errors| anyhow!("{}", describe(&errors)))?;
        let times = times_at_read(files, &rendered.files);
        Ok((rendered.document, WatchedDocument { args, secret_store, times }))
    }
}

fn modified(file: &str) -> Option<SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

/// Returns the modification time that each file had before it was read.
fn times_at_read(files: Files, requested: &BTreeSet<String>) -> ModificationTimes {
    let mut times = files.times.into_inner();
    times.retain(|file, _| requested.contains(file));
    for file in requested {
        times.entry(file.clone()).or_insert_with(|| modified(file));
    }
    times
}

impl Reload for WatchedDocument {
    fn changed(&mut self) -> Option<Result<Document, String>> {
        let now: ModificationTimes = self.times.keys().map(|file| (file.clone(), modified(file))).collect();
        if now == self.times {
            return None;
        }
        let files = Files::default();
        match try_load(&self.args, &self.secret_store, &files) {
            Ok(rendered) => {
                self.times = times_at_read(files, &rendered.files);
                Some(Ok(rendered.document))
            }
            Err(errors) => {
                self.times = now;
                self.times.extend(files.times.into_inner());
                Some(Err(holdfast_report::diagnostics::text(&errors, false)))
            }
        }
    }
}

/// Returns the names of a stack's environments.
pub(crate) fn environments(path: &str) -> Vec<String> {
    if Path::new(path).exists() { holdfast_core::load::environments(&Files::default(), path) } else { vec![] }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_file_that_changes_after_it_was_read_has_another_time_than_at_the_read() -> std::io::Result<()> {
        let file = std::env::temp_dir().join(format!("holdfast-document-{}", std::process::id()));
        let path = file.to_string_lossy().into_owned();
        fs::write(&file, "kind: Stack")?;
        let files = Files::default();
        let before = modified(&path);
        assert_eq!(files.read(&path).as_deref(), Ok("kind: Stack"));
        let later = before.map(|time| time + Duration::from_secs(1)).expect("a time");
        fs::File::options().append(true).open(&file)?.set_modified(later)?;
        let missing = format!("{path}.missing");
        let times = times_at_read(files, &BTreeSet::from([path.clone(), missing.clone()]));
        assert_eq!(times, BTreeMap::from([(path.clone(), before), (missing, None)]));
        assert_ne!(times[&path], modified(&path));
        fs::remove_file(&file)
    }
}
