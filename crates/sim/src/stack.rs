//! Documents for tests, rendered from the YAML under a stack's `spec`.

use std::collections::BTreeMap;
use std::fmt::Write;

use holdfast_core::diagnostic::Diagnostics;
use holdfast_core::document::Document;
use holdfast_core::load::{InMemoryFiles, Request};
use holdfast_core::render::document;
use holdfast_core::schema::Registry;

/// Renders the document of the stack `shop` in the environment `test`, in account 123456789012 and us-east-1.
///
/// # Errors
/// Returns all errors of the document.
pub fn stack(spec: &str, source: &str, registry: Registry) -> Result<Document, Diagnostics> {
    let mut text = "apiVersion: holdfast/v1\nkind: Stack\nmetadata: { name: shop }\nspec:\n".to_owned();
    for line in spec.lines() {
        let _ = writeln!(text, "  {line}");
    }
    let environment = "apiVersion: holdfast/v1\nkind: Environment\nmetadata: { name: test }\n\
        spec: { stack: shop, target: { account: \"123456789012\", region: us-east-1 } }\n";
    let files = InMemoryFiles(BTreeMap::from([
        ("stack.yaml".to_owned(), text),
        ("environments/test.yaml".to_owned(), environment.to_owned()),
    ]));
    let request = Request { path: ".", env: "test", set: &[], source };
    document(&files, &request, &registry).map(|rendered| rendered.document)
}
