//! Secret values that the document names: from the environment and from files into the vault, versions into the document.

use std::fs;

use holdfast_aws::Vault;
use holdfast_core::document::Document;
use holdfast_core::value::{Source, Value};

/// Reads what is there to read. A source that has no value leaves its secret without a version: a live one is left alone
/// then, and a missing one is not made.
pub(crate) fn fill(document: &mut Document, vault: &Vault) {
    let of = format!("{}/{}", document.stack, document.env);
    for (address, resource) in &mut document.resources {
        resource.spec.fill_secrets("", &mut |path, source| {
            let value = read(source).filter(|value| !value.is_empty())?;
            Some(vault.keep(&format!("{of} {address} {path}"), value))
        });
    }
}

/// The files that it read, or would have.
pub(crate) fn files(document: &Document) -> Vec<String> {
    let mut files = vec![];
    for resource in document.resources.values() {
        resource.spec.walk(&mut |value| {
            if let Value::Secret(secret) = value
                && let Source::File(path) = &secret.source
            {
                files.push(path.clone());
            }
        });
    }
    files
}

fn read(source: &Source) -> Option<String> {
    match source {
        Source::Env(name) => std::env::var(name).ok(),
        // Editors and `echo` end a file with a line end that is no part of what it says.
        Source::File(path) => fs::read_to_string(path).ok().map(|text| {
            let line = text.strip_suffix('\n').unwrap_or(&text);
            line.strip_suffix('\r').unwrap_or(line).to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_ends_before_its_last_line_end() -> std::io::Result<()> {
        let file = std::env::temp_dir().join(format!("holdfast-secret-{}", std::process::id()));
        let path = file.to_string_lossy().into_owned();
        fs::write(&file, "a\nb\r\n")?;
        assert_eq!(read(&Source::File(path.clone())).as_deref(), Some("a\nb"));
        fs::remove_file(&file)?;
        assert_eq!(read(&Source::File(path)), None);
        assert_eq!(read(&Source::Env("HOLDFAST_NO_SUCH_VARIABLE".into())), None);
        Ok(())
    }
}
