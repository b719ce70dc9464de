//! The text files of the checkout.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// Folders that hold nothing of ours: builds, the sandbox's Python environment, and the finds of a fuzzer.
const SKIPPED: &[&str] =
    &["target", ".git", ".sandbox", "__pycache__", ".pytest_cache", "node_modules", "corpus", "artifacts", "coverage"];

/// A text file: its path from the root of the checkout, with `/`, and its text.
#[derive(Clone, Debug)]
pub(crate) struct TextFile {
    /// The path from the root of the checkout.
    pub(crate) path: String,
    /// The text; bytes that are not UTF-8 are replaced.
    pub(crate) text: String,
}

impl TextFile {
    /// The last part of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The part of the name after its last dot; empty when there is none.
    pub(crate) fn extension(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }
}

/// All text files, sorted by path. A file with a NUL byte is not text.
pub(crate) fn all(root: &Path) -> anyhow::Result<Vec<TextFile>> {
    let mut files = vec![];
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                if !SKIPPED.contains(&entry.file_name().to_string_lossy().as_ref()) {
                    folders.push(path);
                }
            } else if kind.is_file() {
                // A file that another process deletes at this moment is not an error.
                let Ok(bytes) = fs::read(&path) else { continue };
                if !bytes.contains(&0) {
                    let path = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                    files.push(TextFile { path, text: String::from_utf8_lossy(&bytes).into_owned() });
                }
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
