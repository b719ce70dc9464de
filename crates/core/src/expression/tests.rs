//! Expressions: their results, their errors, and the bound on their time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};

use super::*;

fn evaluated(text: &str) -> Result<Value, ExpressionError> {
    let params = serde_json::json!({
        "n": 3, "name": "web", "zones": ["a", "b"], "map": {"y": 2, "x": 1}, "none": null,
        "text": "a".repeat(2000), "many": (0..1000).collect::<Vec<_>>(),
    });
    let variables = BTreeMap::from([("params".to_owned(), Value::from(params))]);
    let template = Template::parse(text)?.unwrap_or_default();
    let vpc = Value::from(serde_json::json!({"id": "vpc-1", "cidrs": ["10.0.0.0/16"]}));
    let locate = |kind: &str, steps: &[String]| locate(kind, steps, "net", |a| a.to_string() == "Vpc/net.main");
    run(
        &template,
        &variables,
        &|kind| kind == "Vpc",
        &locate,
        &|_| Some(vpc.clone()),
        &bound::DocumentBudget::default().template(),
    )
}

fn check(text: &str, expected: Expect) {
    let shown = match evaluated(text) {
        Ok(value) => format!("{}", value.json()),
        Err(error) => match error.help {
            Some(help) => format!("{} [{help}]", error.message),
            None => error.message,
        },
    };
    expected.assert_eq(&shown);
}

#[test]
fn a_template_of_one_expression_keeps_its_type() {
    check("${params.n}", expect!["3"]);
    check("${params.n + 1}", expect!["4"]);
    check("${params.n > 2 ? 'yes' : 'no'}", expect![[r#""yes""#]]);
    check("${ {'a': [1, 2.5, true, null]} }", expect![[r#"{"a":[1,2.5,true,null]}"#]]);
    check("a-${params.n}-${params.name}", expect![[r#""a-3-web""#]]);
    check("$${aws:username} ${params.name}", expect![[r#""${aws:username} web""#]]);
    check("${'}' + \"{${\"}", expect![[r#""}{${""#]]);
}

#[test]
fn functions_in_addition_to_cel_return_their_results() {
    check("${join(params.zones, ',')} ${params.zones.join('-')}", expect![[r#""a,b a-b""#]]);
    check("${'a,b'.split(',')}", expect![[r#"["a","b"]"#]]);
    check("${'a.b'.replace('.', '-').upper()}", expect![[r#""A-B""#]]);
    check("${params.zones.indexOf('b')} ${'abc'.indexOf('c')} ${params.zones.indexOf('z')}", expect![[r#""1 2 -1""#]]);
    check(
        "${range(3).map(i, cidrSubnet('10.0.0.0/16', 8, i))}",
        expect![[r#"["10.0.0.0/24","10.0.1.0/24","10.0.2.0/24"]"#]],
    );
    check("${cidrSubnet('2001:db8::/32', 32, 5)}", expect![[r#""2001:db8:0:5::/64""#]]);
    check(
        "${cidrSubnet('10.0.0.0/24', 2, 4)}",
        expect!["there is no block number 4: 2 more bits give 4 blocks, numbered from 0"],
    );
    check("${merge(params.map, {'x': 9})}", expect![[r#"{"x":9,"y":2}"#]]);
    check("${json(params.map)}", expect![[r#""{\"x\":1,\"y\":2}""#]]);
    check("${default(params.none, 1)} ${default(params.missing, 2)} ${default(params.n, 4)}", expect![[r#""1 2 3""#]]);
    check("${has(params.missing)}", expect!["false"]);
    check(
        "${keys(params.map)} ",
        expect![[
            r#"this is a list or a map, which cannot be inserted into a string [write `json(…)`, or `join(…, ",")` for a list]"#
        ]],
    );
}

#[test]
fn maps_are_iterated_in_order_of_their_keys() {
    check("${params.map.map(k, k + string(params.map[k]))}", expect![[r#"["x1","y2"]"#]]);
}

#[test]
fn a_name_means_the_components_own_resource_first() {
    check("${Vpc.main.id}/${Vpc[\"net.main\"].id}/${Vpc.net.main.cidrs[0]}", expect![[r#""vpc-1/vpc-1/10.0.0.0/16""#]]);
    check("${Vpc.main.cidrs.map(c, c + Vpc.main.id)}", expect![[r#"["10.0.0.0/16vpc-1"]"#]]);
}

#[test]
fn a_condition_with_a_known_value_leaves_one_side_unread() {
    let reads = |text: &str, a: Value| {
        let bindings = BTreeMap::from([("params".to_owned(), Value::from([("a", a)]))]);
        let uses = Code::parse(text).map(|code| code.reads(&bindings)).unwrap_or_default();
        uses.into_iter().map(|used| used.root).collect::<Vec<_>>().join(" ")
    };
    let text = "params.a == '' ? Vpc.main.id : (true ? Subnet.main.id : Role.main.id)";
    assert_eq!(reads(text, "".into()), "params Vpc");
    assert_eq!(reads(text, "x".into()), "params Subnet");
    let deferred =
        Deferred { source: "${Role.x.id}".into(), reads: vec![], bindings: BTreeMap::new(), component: String::new() };
    assert_eq!(reads(text, Value::Deferred(Arc::new(deferred))), "params Vpc Subnet");
    assert_eq!(reads("params.a.map(x, x ? Vpc.main.id : Role.main.id)", Value::List(vec![])), "params Vpc Role");
}

#[test]
fn errors_have_plain_messages() {
    check("${}", expect!["the expression between `${` and `}` is empty"]);
    check("a ${b", expect!["this `${` has no closing `}` [add the `}`; for a literal `${`, write `$${`]"]);
    check(
        "${1 +}",
        expect![
            "this is not a valid expression: Syntax error: mismatched input '<EOF>' expecting expression [expressions are written in CEL; for a literal `${`, write `$${`]"
        ],
    );
    check(
        "${aws:username}",
        expect![
            "this is not a valid expression: Syntax error: mismatched input ':' expecting <EOF> [for a variable that AWS substitutes, write `$${aws:username}`]"
        ],
    );
    check("${params.missing}", expect!["this map has no key `missing`"]);
    check("${params.name + 1}", expect!["`+` cannot be applied to these types"]);
    check("${1 / 0}", expect!["this divides by zero"]);
    check("${nothing(1)}", expect!["unknown name `nothing`"]);
    check("${params.zones[7]}", expect!["the index is past the end of the list"]);
    check("${b'abc'}", expect!["a value of type bytes cannot be used in a document"]);
    check(
        "${params.none} is null",
        expect![[
            r#"this is null, which cannot be inserted into a string [give it a value, or write `default(…, "")`]"#
        ]],
    );
}

#[test]
fn deferred_expressions_are_evaluated_later_with_their_bindings() {
    let inner = Deferred {
        source: "${Vpc.main.id}".into(),
        reads: vec![Address::new("Vpc", "main")],
        bindings: BTreeMap::new(),
        component: String::new(),
    };
    let params = Value::from([("vpc", Value::Deferred(Arc::new(inner)))]);
    let outer = Deferred {
        source: "in ${params.vpc} and ${Vpc.main.id}".into(),
        reads: vec![Address::new("Vpc", "main"), Address::new("Vpc", "net.main")],
        bindings: BTreeMap::from([("params".to_owned(), params)]),
        component: "net".into(),
    };
    let attributes = |address: &Address| Some(Value::from([("id", format!("id of {address}"))]));
    assert_eq!(evaluate(&outer, &attributes), Ok("in id of Vpc/main and id of Vpc/net.main".into()));
    let error = evaluate(&outer, &|_| None).unwrap_err();
    assert_eq!(error.to_string(), "`Vpc/main` does not exist");
}

#[test]
fn hostile_expressions_terminate_quickly() {
    let deep = format!("${{{}1{}}}", "(".repeat(2000), ")".repeat(2000));
    let lists = format!("${{{}{}}}", "[".repeat(90), "]".repeat(90));
    let long_sum = format!("${{1{}}}", "+1".repeat(500));
    let longer_sum = format!("${{1{}}}", "+1".repeat(2000));
    let negations = format!("${{{}true}}", "!".repeat(500));
    let selects = format!("${{params{}}}", ".a".repeat(500));
    let huge = format!("${{'{}'}}", "a".repeat(5000));
    let conditions = format!("${{true{}}}", "?true:true".repeat(250));
    let hostile = [
        &*deep,
        &lists,
        &long_sum,
        &longer_sum,
        &negations,
        &selects,
        &huge,
        &conditions,
        "${params.many.map(a, params.many.map(b, params.many.map(c, a + b + c)))}",
        "${params.many.map(a, params.many.map(b, a * b))}",
        "${params.many.all(a, params.many.all(b, params.many.map(c, c).size() > 0))}",
        "${range(100000000)}",
        "${params.text.replace('a', params.text).replace('a', params.text)}",
        "${params.many.map(x, params.text).join('').replace('a', params.text)}",
        "${params.many.map(x, params.text.matches('((a{50}){50}){50}'))}",
        "${'aaaa'.matches('(((((a{100}){100}){100}){100}){100})')}",
        "${params.text.matches('^(a+)+$b')}",
    ];
    for text in hostile {
        let start = Instant::now();
        let _ = evaluated(text);
        // The limit is generous for a loaded machine without optimisation. Without the bounds, these expressions would
        // take minutes.
        assert!(start.elapsed() < Duration::from_secs(20), "{text:.60} took {:?}", start.elapsed());
    }
}
