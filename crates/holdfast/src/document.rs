//! Documents from the file system.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::anyhow;
use holdfast_aws::Vault;
use holdfast_core::diagnostic::Diagnostics;
use holdfast_core::document::Document;
use holdfast_core::load::{Request, Source as _};
use holdfast_core::render::{self, Rendered};
use holdfast_engine::daemon::Reload;

use crate::arguments::Source;
use crate::secrets;

/// The file system, as core reads documents from it.
pub(crate) struct Files;

impl holdfast_core::load::Source for Files {
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

/// Renders a document, or says all that is wrong with it.
pub(crate) fn render(source: &Source) -> anyhow::Result<Rendered> {
    try_render(source).map_err(|errors| anyhow!("{}", describe(&errors)))
}

pub(crate) fn try_render(source: &Source) -> Result<Rendered, Diagnostics> {
    let request = Request { path: &source.path, env: &source.env, set: &source.set, origin: &source.origin };
    render::document(&Files, &request, &holdfast_aws::registry())
}

/// Renders a document and reads the secret values that it names.
pub(crate) fn load(source: &Source, vault: &Vault) -> anyhow::Result<Rendered> {
    try_load(source, vault).map_err(|errors| anyhow!("{}", describe(&errors)))
}

fn try_load(source: &Source, vault: &Vault) -> Result<Rendered, Diagnostics> {
    let mut rendered = try_render(source)?;
    secrets::fill(&mut rendered.document, vault);
    rendered.files.extend(secrets::files(&rendered.document));
    Ok(rendered)
}

/// All errors of a document, in colours; printing strips them where there is no terminal.
pub(crate) fn describe(errors: &Diagnostics) -> String {
    let count = match errors.len() {
        1 => "1 error".to_owned(),
        n => format!("{n} errors"),
    };
    format!("{}\n\n{count}; nothing was planned and nothing was changed", errors.render(true))
}

/// Watches a document's files by their times of change.
pub(crate) struct Watched {
    source: Source,
    vault: Vault,
    times: BTreeMap<String, Option<SystemTime>>,
}

impl Watched {
    /// Watches these files for changes from now on.
    pub(crate) fn new(source: Source, files: &BTreeSet<String>, vault: Vault) -> Self {
        Watched { source, vault, times: times(files) }
    }
}

fn times(files: &BTreeSet<String>) -> BTreeMap<String, Option<SystemTime>> {
    files.iter().map(|file| (file.clone(), fs::metadata(file).and_then(|m| m.modified()).ok())).collect()
}

impl Reload for Watched {
    fn changed(&mut self) -> Option<Result<Document, String>> {
        let files: BTreeSet<String> = self.times.keys().cloned().collect();
        let now = times(&files);
        if now == self.times {
            return None;
        }
        match try_load(&self.source, &self.vault) {
            Ok(rendered) => {
                self.times = times(&rendered.files);
                Some(Ok(rendered.document))
            }
            Err(errors) => {
                self.times = now;
                self.times.extend(times(&errors.files().map(str::to_owned).collect()));
                Some(Err(errors.render(false)))
            }
        }
    }
}

/// The names of a stack's environments.
pub(crate) fn environments(path: &str) -> Vec<String> {
    if Files.is_dir(path) || Path::new(path).exists() {
        holdfast_core::load::environments(&Files, path)
    } else {
        vec![]
    }
}
