//! Secret values that the document refers to: read from environment variables and files into the secret store. The
//! document gets their versions.

use holdfast_aws::SecretStore;
use holdfast_core::document::Document;
use holdfast_core::load::FileSource;
use holdfast_core::value::{SecretSource, Value};

/// Reads the secret values. A secret without a value gets no version: a live secret is then left unchanged, and a
/// missing one is not created.
pub(crate) fn fill(document: &mut Document, secret_store: &SecretStore, files: &dyn FileSource) {
    let of = format!("{}/{}", document.stack, document.env);
    for (address, resource) in &mut document.resources {
        resource.spec.fill_secrets("", &mut |path, source| {
            let value = read(source, files).filter(|value| !value.is_empty())?;
            Some(secret_store.keep(&format!("{of} {address} {path}"), value))
        });
    }
}

/// Returns the files that secret values are read from, whether or not they exist.
pub(crate) fn files(document: &Document) -> Vec<String> {
    let mut files = vec![];
    for resource in document.resources.values() {
        resource.spec.walk(&mut |value| {
            if let Value::Secret(secret) = value
                && let SecretSource::File(path) = &secret.source
            {
                files.push(path.clone());
            }
        });
    }
    files
}

fn read(source: &SecretSource, files: &dyn FileSource) -> Option<String> {
    match source {
        SecretSource::Env(name) => std::env::var(name).ok(),
        // Editors and `echo` end a file with a line end that is not part of the value.
        SecretSource::File(path) => files.read(path).ok().map(|text| {
            let line = text.strip_suffix('\n').unwrap_or(&text);
            line.strip_suffix('\r').unwrap_or(line).to_owned()
        }),
    }
}

#[cfg(test)]
mod tests {
    use holdfast_core::load::InMemoryFiles;

    use super::*;

    #[test]
    fn the_last_line_end_of_a_file_is_not_part_of_the_value() {
        let files = InMemoryFiles([("token".to_owned(), "a\nb\r\n".to_owned())].into());
        let value = |path: &str| read(&SecretSource::File(path.into()), &files);
        assert_eq!(value("token").as_deref(), Some("a\nb"));
        assert_eq!(value("missing"), None);
        assert_eq!(read(&SecretSource::Env("HOLDFAST_NO_SUCH_VARIABLE".into()), &files), None);
    }
}
