//! Changes of values, texts, lists and documents.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::{Just, ProptestConfig, Strategy, prop_oneof, proptest};
use proptest::prop_assert;

use super::*;

fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(b) => Value::Bool(b),
        Json::Number(n) => n.as_i64().map(Value::Integer).unwrap_or(Value::Number(n.as_f64().unwrap_or_default())),
        Json::String(text) => Value::Text(text),
        Json::Array(list) => Value::List(list.into_iter().map(value).collect()),
        Json::Object(map) => Value::Map(map.into_iter().map(|(k, v)| (k, value(v))).collect::<BTreeMap<_, _>>()),
    }
}

fn change(from: Json, to: Json) -> Change {
    Change { path: "f".to_owned(), from: value(from), to: value(to), immutable: false, unknown: None }
}

fn check(from: Json, to: Json, expected: Expect) {
    expected.assert_eq(&(lines(&change(from, to), Detail::default()).join("\n") + "\n"));
}

fn policy(statements: Json) -> Json {
    serde_json::json!({"Version": "2012-10-17", "Statement": statements})
}

fn allow(sid: &str, action: Json) -> Json {
    let resource = "arn:aws:s3:::a-bucket-with-a-long-name-that-fills-the-first-hundred-and-twenty-characters/*";
    serde_json::json!({"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource})
}

#[test]
fn scalars_are_shown_as_they_are() {
    check(3.into(), 2.into(), expect![["f: 3 → 2\n"]]);
    check(Json::Null, "shop".into(), expect![["f: (none) → shop\n"]]);
    check("".into(), Json::Null, expect![["f: \"\" → (none)\n"]]);
    check("(none)".into(), Json::Null, expect![["f: \"(none)\" → (none)\n"]]);
    check("3".into(), 3.into(), expect![["f: \"3\" → 3\n"]]);
    check("a".into(), "a ".into(), expect![["f: a → \"a \"\n"]]);
    check("a\nb".into(), r"a\nb".into(), expect![["f: \"a\\nb\" → a\\nb\n"]]);
}

#[test]
fn a_policy_is_compared_by_statement_and_key() {
    let before = policy(serde_json::json!([allow("Read", "s3:GetObject".into()), allow("Old", "s3:PutObject".into())]));
    let after = policy(serde_json::json!([allow("Read", "*".into()), allow("New", serde_json::json!(["s3:*"]))]));
    let expected = expect![[r#"
        f.Statement[Read].Action: s3:GetObject → *
        f.Statement[Old].Sid: − Old
        f.Statement[Old].Effect: − Allow
        f.Statement[Old].Action: − s3:PutObject
        f.Statement[Old].Resource: − arn:aws:s3:::a-bucket-with-a-long-name-that-fills-the-first-hundred-and-twenty-characters/*
        f.Statement[New].Sid: + New
        f.Statement[New].Effect: + Allow
        f.Statement[New].Action: + ["s3:*"]
        f.Statement[New].Resource: + arn:aws:s3:::a-bucket-with-a-long-name-that-fills-the-first-hundred-and-twenty-characters/*
    "#]];
    check(before.to_string().into(), after.to_string().into(), expected);
    // A document without keys of its elements is compared by content, and then by position.
    let one = |action: &str| policy(serde_json::json!([{"Effect": "Allow", "Action": action, "Resource": "*"}]));
    check(one("s3:GetObject"), one("*"), expect![["f.Statement[0].Action: s3:GetObject → *\n"]]);
}

#[test]
fn elements_that_change_places_are_said_to() {
    let behaviours = |a: &str, b: &str| serde_json::json!([{"pathPattern": a, "ttl": 1}, {"pathPattern": b, "ttl": 1}]);
    check(behaviours("/a", "/b"), behaviours("/b", "/a"), expect![["f: the order changes to /b, /a\n"]]);
    check(
        serde_json::json!(["a", "b"]),
        serde_json::json!(["b", "a"]),
        expect![[r#"
        f: the order changes, from [0]: a → b
    "#]],
    );
    check(serde_json::json!(["a", "b"]), serde_json::json!(["b", "c"]), expect![["f: −a +c\n"]]);
}

#[test]
fn a_long_text_is_shown_around_the_part_that_differs() {
    let text = |middle: &str| format!("{}{middle}{}", "x".repeat(300), "y".repeat(300));
    check(
        text("A").into(),
        text("BB").into(),
        expect![[r#"
        f: …"xxxxxxxxxxxxxxxxxxxxAyyyyyyyyyyyyyyyyyyyy"… → …"xxxxxxxxxxxxxxxxxxxxBByyyyyyyyyyyyyyyyyyyy"…
    "#]],
    );
    let script = |middle: &str| format!("#!/bin/sh\nset -e\n{middle}exec app\n");
    check(
        script("echo a\n").into(),
        script("echo b\necho c\n").into(),
        expect![[r#"
        f, line 3: echo a → echo b
        f, line 4: + echo c
    "#]],
    );
    check(r#"{"a":1}"#.into(), r#"{ "a": 1 }"#.into(), expect![["f: differs in its form, and not in its content\n"]]);
}

#[test]
fn a_value_cannot_write_a_line_of_its_own() {
    check(
        "hello\n::warning::x".into(),
        "bye\u{1b}[2K\u{202e}".into(),
        expect![[r#"
        f: "hello\n::warning::x" → "bye\u{1b}[2K\u{202e}"
    "#]],
    );
    let tags = Change { path: "tags.a\nb".to_owned(), ..change(Json::Null, "x".into()) };
    assert_eq!(lines(&tags, Detail::default()), [r"tags.a\nb: (none) → x"]);
}

#[test]
fn many_lines_are_folded() {
    let map = |n: i32| (0..30).map(|key| (format!("k{key:02}"), n.into())).collect::<serde_json::Map<_, _>>();
    let change = change(map(1).into(), map(2).into());
    let folded = lines(&change, Detail::default());
    assert_eq!((folded.len(), folded[16].as_str()), (17, "… and 14 more lines"));
    assert_eq!(lines(&change, Detail { full: true }).len(), 30);
}

#[test]
fn the_fields_of_a_create_are_in_one_line() {
    let field = |path: &str, to: Json| Change { path: path.to_owned(), ..change(Json::Null, to) };
    let short = [field("cidrBlock", "10.0.0.0/24".into()), field("unset", Json::Null), field("size", 3.into())];
    assert_eq!(fields(&short, Detail::default()), ["cidrBlock: 10.0.0.0/24, size: 3"]);
    let long: Vec<Change> = (0..9).map(|n| field(&format!("field{n}"), "v".repeat(60 + n).into())).collect();
    let folded = fields(&long, Detail::default());
    assert!(folded.len() == 1 && folded[0].ends_with(", … and 8 more"), "{folded:?}");
    let full = fields(&long, Detail { full: true });
    assert!(full.len() == 9 && full[8].ends_with(&"v".repeat(68)), "{full:?}");
    assert_eq!(fields(&[], Detail::default()), Vec::<String>::new());
}

/// Values with long, equal and hostile parts.
fn any_value() -> impl Strategy<Value = Json> {
    let text = prop_oneof![
        "[ab\n\"\\\\\u{202e} ]{0,6}".prop_map(Json::from),
        "[ab]{0,2}".prop_map(|end| format!("{}{end}", "x".repeat(200)).into()),
        "[ab\n]{0,3}".prop_map(|end| format!("1\n2\n{end}{}", "\u{202e}".repeat(130)).into()),
        Just(Json::Null),
        (0..3).prop_map(Json::from),
    ];
    text.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Json::Array),
            proptest::collection::btree_map("(Sid|name|a|b)", inner, 0..3)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn two_different_values_are_never_shown_as_the_same(from in any_value(), to in any_value()) {
        if from != to {
            for detail in [Detail::default(), Detail { full: true }] {
                let lines = lines(&change(from.clone(), to.clone()), detail);
                prop_assert!(!lines.is_empty());
                for line in lines {
                    prop_assert!(line.lines().count() == 1 && !line.contains(escape::is_hidden), "{:?}", line);
                    if let Some((from, to)) = line.split_once(": ").and_then(|(_, sides)| sides.split_once(" → ")) {
                        prop_assert!(from != to, "{}", line);
                    }
                }
            }
        }
    }
}
