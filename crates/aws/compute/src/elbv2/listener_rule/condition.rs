//! The conditions of a listener rule: which requests the rule applies to.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types as sdk;
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

/// A condition of a listener rule: its `field`, and the configuration of that field and no other. In values, `*`
/// matches any characters and `?` matches one. A rule has at most one condition each of `host-header`, `path-pattern`,
/// `http-request-method` and `source-ip`, any number of the others, and five values in all conditions together
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(no_key = "a rule can have several conditions on one field")]
pub(crate) struct RuleCondition {
    /// The field.
    #[spec(one_of = ["host-header", "path-pattern", "http-header", "http-request-method", "query-string", "source-ip"])]
    field: String,
    /// For `host-header`: the host names.
    host_header_config: Option<PatternConditionConfig>,
    /// For `path-pattern`: the paths.
    path_pattern_config: Option<PatternConditionConfig>,
    /// For `http-header`: the header and its values.
    http_header_config: Option<HttpHeaderConditionConfig>,
    /// For `http-request-method`: the methods.
    http_request_method_config: Option<ValueConditionConfig>,
    /// For `query-string`: the key-value pairs.
    query_string_config: Option<QueryStringConditionConfig>,
    /// For `source-ip`: the addresses of the client. Behind a proxy, the proxy is the client.
    source_ip_config: Option<ValueConditionConfig>,
}

/// Host names or paths, as patterns or regular expressions. One of them has to match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PatternConditionConfig {
    /// Host names (`*.example.com`, case-insensitive) or paths (`/api/*`, case-sensitive).
    #[spec(length = ..=128)]
    values: Option<BTreeSet<String>>,
    /// Regular expressions, in place of `values`.
    regex_values: Option<BTreeSet<String>>,
}

/// An HTTP header and its values. One of the values has to match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HttpHeaderConditionConfig {
    /// The header's name, without wildcards. `Host` is not allowed: use `host-header`.
    #[spec(length = 1..=40)]
    http_header_name: String,
    /// The values, case-insensitive.
    #[spec(length = ..=128)]
    values: Option<BTreeSet<String>>,
    /// Regular expressions, in place of `values`.
    regex_values: Option<BTreeSet<String>>,
}

/// Request methods or source addresses. One of them has to match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ValueConditionConfig {
    /// Methods in upper case (`GET`), or CIDR blocks (`203.0.113.0/24`, `2001:db8::/64`).
    values: BTreeSet<String>,
}

/// Key-value pairs of a query string. The query string has to contain one of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueryStringConditionConfig {
    /// The key-value pairs.
    values: BTreeSet<QueryStringKeyValuePair>,
}

/// A key-value pair of a query string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(no_key = "a condition can have several values for one key")]
pub(crate) struct QueryStringKeyValuePair {
    /// The key. A pair without a key matches any key.
    #[spec(length = ..=128)]
    key: Option<String>,
    /// The value.
    #[spec(length = ..=128)]
    value: String,
}

fn list(set: &Option<BTreeSet<String>>) -> Option<Vec<String>> {
    set.as_ref().map(|set| set.iter().cloned().collect())
}

fn set(list: &[String]) -> Option<BTreeSet<String>> {
    (!list.is_empty()).then(|| list.iter().cloned().collect())
}

impl RuleCondition {
    /// Converts the condition for a request.
    pub(crate) fn sdk(&self) -> sdk::RuleCondition {
        let RuleCondition {
            field,
            host_header_config: host,
            path_pattern_config: path,
            http_header_config: header,
            http_request_method_config: method,
            query_string_config: query,
            source_ip_config: source,
        } = self;
        // A request has regular expressions for hosts and paths beside the field, and patterns in the configuration.
        let regex = [host, path].into_iter().flatten().find_map(|patterns| list(&patterns.regex_values));
        let host = host.as_ref().and_then(|host| list(&host.values));
        let path = path.as_ref().and_then(|path| list(&path.values));
        let values = |config: &ValueConditionConfig| Some(config.values.iter().cloned().collect());
        let header = header.as_ref().map(|header| {
            sdk::HttpHeaderConditionConfig::builder()
                .http_header_name(&header.http_header_name)
                .set_values(list(&header.values))
                .set_regex_values(list(&header.regex_values))
                .build()
        });
        let query = query.as_ref().map(|query| {
            let pair = |q: &QueryStringKeyValuePair| {
                sdk::QueryStringKeyValuePair::builder().set_key(q.key.clone()).value(&q.value).build()
            };
            let pairs = query.values.iter().map(pair).collect();
            sdk::QueryStringConditionConfig::builder().set_values(Some(pairs)).build()
        });
        sdk::RuleCondition::builder()
            .field(field)
            .set_regex_values(regex)
            .set_host_header_config(host.map(|v| sdk::HostHeaderConditionConfig::builder().set_values(Some(v)).build()))
            .set_path_pattern_config(
                path.map(|v| sdk::PathPatternConditionConfig::builder().set_values(Some(v)).build()),
            )
            .set_http_header_config(header)
            .set_http_request_method_config(
                method.as_ref().map(|m| sdk::HttpRequestMethodConditionConfig::builder().set_values(values(m)).build()),
            )
            .set_query_string_config(query)
            .set_source_ip_config(
                source.as_ref().map(|s| sdk::SourceIpConditionConfig::builder().set_values(values(s)).build()),
            )
            .build()
    }

    /// Reads a condition from a response. Hosts and paths are beside the field, in their configuration, or both.
    pub(crate) fn from_response(condition: &sdk::RuleCondition) -> RuleCondition {
        let field = condition.field().unwrap_or_default();
        let patterns = |name: &str, configured: Option<&[String]>| {
            let values = configured.filter(|values| !values.is_empty()).unwrap_or(condition.values());
            let patterns = PatternConditionConfig { values: set(values), regex_values: set(condition.regex_values()) };
            (field == name).then_some(patterns)
        };
        let config = |values: &[String]| ValueConditionConfig { values: values.iter().cloned().collect() };
        let header = |header: &sdk::HttpHeaderConditionConfig| HttpHeaderConditionConfig {
            http_header_name: header.http_header_name().unwrap_or_default().to_owned(),
            values: set(header.values()),
            regex_values: set(header.regex_values()),
        };
        let pair = |pair: &sdk::QueryStringKeyValuePair| QueryStringKeyValuePair {
            key: pair.key.clone(),
            value: pair.value.clone().unwrap_or_default(),
        };
        RuleCondition {
            field: field.to_owned(),
            host_header_config: patterns("host-header", condition.host_header_config().map(|c| c.values())),
            path_pattern_config: patterns("path-pattern", condition.path_pattern_config().map(|c| c.values())),
            http_header_config: condition.http_header_config().map(header),
            http_request_method_config: condition.http_request_method_config().map(|c| config(c.values())),
            query_string_config: condition
                .query_string_config()
                .map(|c| QueryStringConditionConfig { values: c.values().iter().map(pair).collect() }),
            source_ip_config: condition.source_ip_config().map(|c| config(c.values())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_survives_the_round_trip() {
        for json in [
            serde_json::json!({"field": "host-header", "hostHeaderConfig": {"values": ["a.example", "b.example"]}}),
            serde_json::json!({"field": "path-pattern", "pathPatternConfig": {"regexValues": ["^/v[0-9]+/"]}}),
            serde_json::json!({"field": "http-header",
                "httpHeaderConfig": {"httpHeaderName": "X-Edge", "values": ["1"]}}),
            serde_json::json!({"field": "query-string",
                "queryStringConfig": {"values": [{"key": "v", "value": "2"}, {"value": "beta"}]}}),
            serde_json::json!({"field": "source-ip", "sourceIpConfig": {"values": ["203.0.113.0/24"]}}),
        ] {
            let condition: RuleCondition = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(RuleCondition::from_response(&condition.sdk()), condition, "{json}");
        }
    }

    #[test]
    fn a_path_beside_the_field_is_read_like_one_in_the_configuration() {
        let response = sdk::RuleCondition::builder().field("path-pattern").values("/api/*").build();
        let live = RuleCondition::from_response(&response);
        assert_eq!(live.path_pattern_config.and_then(|p| p.values), Some(BTreeSet::from(["/api/*".to_owned()])));
        assert_eq!(live.host_header_config, None);
    }
}
