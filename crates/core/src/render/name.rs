//! Physical names: the names of resources in AWS.

use crate::digest;
use crate::schema::NamingRules;

/// The space that a shortened name leaves for the suffix of a generation, `-g<N>`: up to 999 replacements.
const GENERATION: usize = 5;
/// The number of hex digits of the hash at the end of a shortened name.
const HASH: usize = 6;

/// Returns the default physical name: `<stack>-<env>-<name>`, within the kind's limit and with space for a generation.
///
/// The dots in the name of a component's resource become dashes. A name that is too long is shortened and ends with a
/// hash of the whole name, so that two long names remain different.
pub fn physical_name(stack: &str, env: &str, name: &str, naming: &NamingRules) -> String {
    let whole: Vec<&str> = [stack, env, name].into_iter().filter(|part| !part.is_empty()).collect();
    let whole = format!("{}{}", naming.prefix, whole.join("-").replace('.', "-"));
    let whole = if naming.lowercase { whole.to_lowercase() } else { whole };
    let limit = naming.limit.saturating_sub(GENERATION).max(1);
    if whole.chars().count() <= limit {
        return whole;
    }
    let hash: String = digest::text(&whole).chars().take(HASH).collect();
    let kept: String = whole.chars().take(limit.saturating_sub(HASH + 1)).collect();
    format!("{}-{hash}", kept.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::physical_name;
    use crate::schema::NamingRules;

    #[test]
    fn long_names_are_within_the_limit_and_different() {
        let naming = NamingRules::limit(32);
        assert_eq!(physical_name("mashroom", "prod", "web", &naming), "mashroom-prod-web");
        assert_eq!(physical_name("mashroom", "prod", "net.a", &naming), "mashroom-prod-net-a");
        let a = physical_name("mashroom", "staging", "a-very-long-name-1", &naming);
        let b = physical_name("mashroom", "staging", "a-very-long-name-2", &naming);
        assert_eq!(a.len(), 27);
        assert!(a.starts_with("mashroom-staging-a-v"), "{a}");
        assert_ne!(a, b);
    }

    #[test]
    fn the_kind_determines_prefix_and_case() {
        let naming = NamingRules { prefix: "/", lowercase: true, ..NamingRules::limit(512) };
        assert_eq!(physical_name("Mash", "prod", "web", &naming), "/mash-prod-web");
        let url = NamingRules { left_out: "https://", ..NamingRules::limit(255) };
        assert_eq!((url.stored("https://a.example.com"), url.stored("b")), ("a.example.com".into(), "b".into()));
    }
}
