//! Parses and evaluates a string with `${…}` in it. An expression that is refused is fine; a panic or an endless loop
//! is not.
#![no_main]

use std::collections::BTreeMap;

use holdfast_core::address::Address;
use holdfast_core::expression::evaluate;
use holdfast_core::value::{Deferred, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let map = |pairs: &[(&str, Value)]| Value::Map(pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect());
    let words = |words: &[&str]| Value::List(words.iter().map(|word| Value::Text((*word).to_owned())).collect());
    let params = map(&[
        ("text", Value::Text("10.0.0.0/16".to_owned())),
        ("count", Value::Integer(3)),
        ("share", Value::Number(0.5)),
        ("on", Value::Bool(true)),
        ("none", Value::Null),
        ("zones", words(&["a", "b", "c"])),
    ]);
    let vpc = Address::new("Vpc", "main");
    let live =
        map(&[("id", Value::Text("vpc-1".to_owned())), ("arn", Value::Text("arn:aws:ec2:::vpc/vpc-1".to_owned()))]);
    let deferred = Deferred {
        source: text.into(),
        reads: vec![vpc.clone()],
        bindings: BTreeMap::from([
            ("params".to_owned(), params),
            (
                "env".to_owned(),
                map(&[("name", Value::Text("dev".to_owned())), ("region", Value::Text("us-east-1".to_owned()))]),
            ),
        ]),
        component: String::new(),
    };
    let _ = evaluate(&deferred, &|address| (*address == vpc).then(|| live.clone()));
});
