//! Loads and renders a document of any text. A document that is refused is fine; a panic or an endless loop is not.
#![no_main]

use holdfast_core::load::load;
use holdfast_core::render::render;
use holdfast_core_fuzz::{REGISTRY, files, request};
use holdfast_report::diagnostics::text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|yaml: &str| {
    let result = load(&files(yaml), &request(), &REGISTRY).and_then(|loaded| render(&loaded, &REGISTRY));
    if let Err(errors) = result {
        // The excerpts are cut out of the text, so they are worth fuzzing too.
        assert!(!text(&errors, false).is_empty(), "a refusal says why");
    }
});
