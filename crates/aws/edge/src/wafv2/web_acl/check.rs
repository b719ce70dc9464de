//! Statements of rules that WAF refuses: a statement has exactly one known type.

use holdfast_core::diagnostic::nearest;
use holdfast_core::schema::ValidationError;
use holdfast_core::value::Value;

use super::spec::WebAcl;

/// The types of statements: <https://docs.aws.amazon.com/waf/latest/APIReference/API_Statement.html>
const TYPES: [&str; 16] = [
    "AndStatement",
    "AsnMatchStatement",
    "ByteMatchStatement",
    "GeoMatchStatement",
    "IPSetReferenceStatement",
    "LabelMatchStatement",
    "ManagedRuleGroupStatement",
    "NotStatement",
    "OrStatement",
    "RateBasedStatement",
    "RegexMatchStatement",
    "RegexPatternSetReferenceStatement",
    "RuleGroupReferenceStatement",
    "SizeConstraintStatement",
    "SqliMatchStatement",
    "XssMatchStatement",
];

/// Returns an error for a wrong default action, and for each rule whose statement has an unknown type, or not exactly one.
pub(super) fn check(spec: &Value) -> Vec<ValidationError> {
    let rules = spec.get(WebAcl::RULES.name()).and_then(Value::map).into_iter().flatten();
    let mut errors = vec![];
    // https://docs.aws.amazon.com/waf/latest/APIReference/API_DefaultAction.html
    let default = WebAcl::DEFAULT_ACTION.name();
    if let Some(action) = spec.get(default).and_then(Value::map)
        && (action.len() != 1 || !action.keys().all(|key| ["Allow", "Block"].contains(&key.as_str())))
    {
        errors.push((default, "the default action is either `Allow` or `Block`, as in `{ Allow: {} }`".to_owned()));
    }
    for (name, rule) in rules {
        if let Some(statement) = rule.get("statement") {
            errors.extend(
                statement_error(statement)
                    .map(|error| (WebAcl::RULES.name(), format!("the statement of the rule `{name}` {error}"))),
            );
        }
    }
    errors
}

/// Returns the first error of a statement or of a statement in it.
fn statement_error(statement: &Value) -> Option<String> {
    let types = statement.map()?;
    if let Some(unknown) = types.keys().find(|of| !TYPES.contains(&of.as_str())) {
        let help = nearest(unknown, TYPES).map(|of| format!("; did you mean `{of}`?")).unwrap_or_default();
        return Some(format!("has the unknown type `{unknown}`{help}"));
    }
    if types.len() != 1 {
        return Some(format!("must have exactly one type, but has {}", types.len()));
    }
    let (of, content) = types.iter().next()?;
    let nested: Vec<&Value> = match (of.as_str(), content.get("Statements")) {
        ("AndStatement" | "OrStatement", Some(Value::List(list))) if list.len() < 2 => {
            return Some(format!("has an `{of}` with fewer than two statements"));
        }
        (_, Some(Value::List(list))) => list.iter().collect(),
        _ => ["Statement", "ScopeDownStatement"].into_iter().filter_map(|key| content.get(key)).collect(),
    };
    nested.into_iter().find_map(statement_error)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_statement_has_one_known_type() {
        let errors = |statement: serde_json::Value| {
            check(&json!({ "rules": { "a": { "priority": 1, "statement": statement } } }).into())
                .into_iter()
                .map(|(_, message)| message)
                .collect::<Vec<_>>()
        };
        let geo = json!({ "GeoMatchStatement": { "CountryCodes": ["KP"] } });
        assert!(errors(geo.clone()).is_empty());
        assert!(errors(json!({ "NotStatement": { "Statement": geo } })).is_empty());
        assert_eq!(
            errors(json!({ "NotStatement": { "Statement": { "GeoMatchStatment": {} } } })),
            [
                "the statement of the rule `a` has the unknown type `GeoMatchStatment`; did you mean `GeoMatchStatement`?"
            ]
        );
        assert_eq!(errors(json!({ "AndStatement": { "Statements": [geo] } })).len(), 1);
        assert_eq!(errors(json!({})).len(), 1);
    }
}
