//! The errors of a document: as text with an excerpt of the file, as rustc shows errors, and as JSON.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use holdfast_core::diagnostic::{Diagnostic, Diagnostics};
use serde_json::{Value as Json, json};

/// Returns the errors as text for people, in the format of rustc, with ANSI codes if `colour` is true.
pub fn text(diagnostics: &Diagnostics, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let shown: Vec<String> = diagnostics.iter().map(|diagnostic| excerpt(diagnostics, diagnostic, &renderer)).collect();
    shown.join("\n\n")
}

/// Returns the errors as a list of `{file, line, column, message, label, help}`.
pub fn json(diagnostics: &Diagnostics) -> Vec<Json> {
    let one = |diagnostic: &Diagnostic| {
        json!({
            "file": diagnostic.at.file,
            "line": diagnostic.at.line,
            "column": diagnostic.at.column,
            "message": diagnostic.message,
            "label": diagnostic.label,
            "help": diagnostic.help,
        })
    };
    diagnostics.iter().map(one).collect()
}

fn excerpt(diagnostics: &Diagnostics, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let at = &diagnostic.at;
    let title = Level::ERROR.primary_title(&diagnostic.message);
    let mut group = match diagnostics.source_line(at) {
        Some(line) => {
            let mark = AnnotationKind::Primary.span(at.byte_range(line));
            let mark = if diagnostic.label.is_empty() { mark } else { mark.label(diagnostic.label.as_str()) };
            Group::with_title(title)
                .element(Snippet::source(line).line_start(at.line).path(at.file.as_ref()).annotation(mark))
        }
        None => Group::with_title(title).element(Origin::path(at.file.as_ref())),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    renderer.render(&[group])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::expect;
    use holdfast_core::load::{InMemoryFiles, Request};
    use holdfast_core::render;
    use proptest::prelude::{ProptestConfig, proptest};
    use proptest::prop_assert;

    use super::*;
    use crate::tests::kinds::REGISTRY;

    fn errors(stack: &str) -> Option<Diagnostics> {
        let files = InMemoryFiles(BTreeMap::from([("shop/stack.yaml".to_owned(), stack.to_owned())]));
        render::document(&files, &Request { path: "shop", ..Request::default() }, &REGISTRY).err()
    }

    #[test]
    fn an_error_shows_the_line_and_the_help() {
        let stack = "apiVersion: holdfast/v1\nkind: Stack\nmetadata: { name: shop }\nspec:\n  regions: { main: us-east-1 }\n  resources:\n    Vpc/main: { cidr: 10.0.0.0/16 }\n";
        let errors = errors(stack).expect("errors");
        expect![[r#"
            error: `Vpc/main` needs `cidrBlock`
             --> shop/stack.yaml:7:5
              |
            7 |     Vpc/main: { cidr: 10.0.0.0/16 }
              |     ^^^^^^^^
              |
              = help: `cidrBlock` is a CIDR block: The CIDR block of addresses.

            error: unknown field `cidr` in Vpc
             --> shop/stack.yaml:7:17
              |
            7 |     Vpc/main: { cidr: 10.0.0.0/16 }
              |                 ^^^^
              |
              = help: did you mean `cidrBlock`?"#]]
        .assert_eq(&text(&errors, false));
        assert!(text(&errors, true).contains('\u{1b}'));
        expect![[r#"[{"file":"shop/stack.yaml","line":7,"column":5,"message":"`Vpc/main` needs `cidrBlock`","label":"","help":"`cidrBlock` is a CIDR block: The CIDR block of addresses."},{"file":"shop/stack.yaml","line":7,"column":17,"message":"unknown field `cidr` in Vpc","label":"","help":"did you mean `cidrBlock`?"}]"#]].assert_eq(&Json::from(json(&errors)).to_string());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// The excerpts are cut out of the text, at offsets in characters.
        #[test]
        fn errors_of_any_text_are_shown(stack in "[-a-z0-9:{}\\[\\], \n\"'|>&*!#?%@$<~.äß€😀]{0,200}") {
            if let Some(errors) = errors(&stack) {
                prop_assert!(!text(&errors, true).is_empty());
                prop_assert!(!errors.to_string().is_empty());
            }
        }
    }
}
