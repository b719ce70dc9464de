//! The combinations that CloudFront refuses and that no relation expresses: methods, and origins that do not exist.

use std::collections::BTreeSet;

use holdfast_core::schema::ValidationError;
use holdfast_core::value::Value;

use super::spec::Distribution;

/// The sets of methods that a behavior may allow:
/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_AllowedMethods.html>
const ALLOWED: [&[&str]; 3] =
    [&["GET", "HEAD"], &["GET", "HEAD", "OPTIONS"], &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]];

/// The sets of methods whose responses a behavior may cache:
/// <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CachedMethods.html>
const CACHED: [&[&str]; 2] = [&["GET", "HEAD"], &["GET", "HEAD", "OPTIONS"]];

/// Returns the errors of a distribution.
pub(super) fn check(spec: &Value) -> Vec<ValidationError> {
    let default = Distribution::DEFAULT_CACHE_BEHAVIOR.name();
    let others = Distribution::CACHE_BEHAVIORS.name();
    let list = match spec.get(others) {
        Some(Value::List(list)) => list.as_slice(),
        _ => &[],
    };
    let behaviors = spec.get(default).map(|behavior| (default, behavior)).into_iter();
    let behaviors = behaviors.chain(list.iter().map(|behavior| (others, behavior)));
    // An expression may build the origins and the groups. Their names are not known then.
    let keys = |field: &str| match spec.get(field) {
        Some(Value::Map(map)) => Some(map.keys().map(String::as_str).collect::<BTreeSet<_>>()),
        None | Some(Value::Null) => Some(BTreeSet::new()),
        Some(_) => None,
    };
    let origins = keys(Distribution::ORIGINS.name());
    let groups = keys(Distribution::ORIGIN_GROUPS.name());
    let targets = origins.as_ref().zip(groups.as_ref()).map(|(origins, groups)| origins | groups);
    let mut errors = vec![];
    for (field, behavior) in behaviors {
        if let Some(target) = behavior.get("targetOrigin").and_then(Value::text)
            && targets.as_ref().is_some_and(|targets| !targets.contains(target))
        {
            errors.push((field, format!("`targetOrigin: {target}` names no origin and no origin group")));
        }
        for (methods, sets) in [("allowedMethods", &ALLOWED[..]), ("cachedMethods", &CACHED[..])] {
            let Some(stated) = texts(behavior.get(methods)) else { continue };
            if !sets.iter().any(|set| set.iter().copied().collect::<BTreeSet<_>>() == stated) {
                let sets: Vec<String> = sets.iter().map(|set| format!("[{}]", set.join(", "))).collect();
                errors.push((field, format!("`{methods}` must be {}", sets.join(" or "))));
            }
        }
    }
    let groups = Distribution::ORIGIN_GROUPS.name();
    for (name, group) in spec.get(groups).and_then(Value::map).into_iter().flatten() {
        let members = texts(group.get("members")).unwrap_or_default();
        for member in members.into_iter().filter(|member| origins.as_ref().is_some_and(|all| !all.contains(member))) {
            errors.push((groups, format!("the member `{member}` of the origin group `{name}` is no origin")));
        }
    }
    errors
}

/// Returns the texts of a list; none when it is not stated, or when an element is not known yet.
fn texts(list: Option<&Value>) -> Option<BTreeSet<&str>> {
    match list? {
        Value::List(list) if !list.is_empty() => list.iter().map(Value::text).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_behavior_needs_an_origin_and_a_known_set_of_methods() {
        let errors = |behavior: serde_json::Value| {
            check(&json!({ "origins": { "api": {} }, "defaultCacheBehavior": behavior }).into()).len()
        };
        assert_eq!(errors(json!({ "targetOrigin": "api", "allowedMethods": ["HEAD", "GET"] })), 0);
        assert_eq!(errors(json!({ "targetOrigin": "site" })), 1);
        assert_eq!(errors(json!({ "targetOrigin": "api", "allowedMethods": ["GET", "POST"] })), 1);
        assert_eq!(errors(json!({ "targetOrigin": "api", "cachedMethods": ["GET", "POST"] })), 1);
    }

    #[test]
    fn the_members_of_an_origin_group_exist() {
        let spec = json!({ "origins": { "a": {} }, "originGroups": { "both": { "members": ["a", "b"] } } });
        assert_eq!(check(&spec.into()).len(), 1);
    }
}
