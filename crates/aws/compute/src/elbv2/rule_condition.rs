//! What a request must be like for a listener rule to take it.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types as sdk;
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

/// One condition: its `field`, and beside it the configuration of that field and no other. `*` stands for any
/// characters and `?` for one. A rule has at most one each of `host-header`, `path-pattern`, `http-request-method`
/// and `source-ip`, any number of the others, and five values in all
/// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition {
    /// `host-header`, `path-pattern`, `http-header`, `http-request-method`, `query-string` or `source-ip`.
    field: String,
    /// For `host-header`.
    host_header_config: Option<Patterns>,
    /// For `path-pattern`.
    path_pattern_config: Option<Patterns>,
    /// For `http-header`.
    http_header_config: Option<HttpHeader>,
    /// For `http-request-method`.
    http_request_method_config: Option<Words>,
    /// For `query-string`.
    query_string_config: Option<QueryStrings>,
    /// For `source-ip`: the address of the client, which is a proxy's where there is one in front.
    source_ip_config: Option<Words>,
}

/// Names or paths, one of which has to match: patterns or regular expressions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Patterns {
    /// Host names without regard to case (`*.example.com`), or paths with regard to it (`/api/*`): at most 128
    /// characters each.
    values: Option<BTreeSet<String>>,
    /// The same as regular expressions, in place of `values`.
    regex_values: Option<BTreeSet<String>>,
}

/// A header, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HttpHeader {
    /// The header's name, at most 40 characters, without wildcards. Not `Host`: that is `host-header`.
    http_header_name: String,
    /// What it may be, without regard to case.
    values: Option<BTreeSet<String>>,
    /// The same as regular expressions, in place of `values`.
    regex_values: Option<BTreeSet<String>>,
}

/// Words, one of which has to be met.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Words {
    /// Methods in upper case (`GET`), or CIDR blocks (`203.0.113.0/24`, `2001:db8::/64`).
    values: BTreeSet<String>,
}

/// Parts of a query string, one of which has to be there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueryStrings {
    /// The parts.
    values: BTreeSet<QueryString>,
}

/// A part of a query string.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueryString {
    /// The key; any key when it is left out.
    key: Option<String>,
    /// The value.
    value: String,
}

fn list(set: &Option<BTreeSet<String>>) -> Option<Vec<String>> {
    set.as_ref().map(|set| set.iter().cloned().collect())
}

fn set(list: &[String]) -> Option<BTreeSet<String>> {
    (!list.is_empty()).then(|| list.iter().cloned().collect())
}

impl Condition {
    /// The condition as AWS takes it.
    pub(crate) fn sdk(&self) -> sdk::RuleCondition {
        let Condition {
            field,
            host_header_config: host,
            path_pattern_config: path,
            http_header_config: header,
            http_request_method_config: method,
            query_string_config: query,
            source_ip_config: source,
        } = self;
        // AWS wants regular expressions of hosts and paths beside the field, and patterns in its configuration.
        let regex = [host, path].into_iter().flatten().find_map(|patterns| list(&patterns.regex_values));
        let host = host.as_ref().and_then(|host| list(&host.values));
        let path = path.as_ref().and_then(|path| list(&path.values));
        let words = |words: &Words| Some(words.values.iter().cloned().collect());
        let header = header.as_ref().map(|header| {
            sdk::HttpHeaderConditionConfig::builder()
                .http_header_name(&header.http_header_name)
                .set_values(list(&header.values))
                .set_regex_values(list(&header.regex_values))
                .build()
        });
        let query = query.as_ref().map(|query| {
            let pair = |q: &QueryString| {
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
                method.as_ref().map(|m| sdk::HttpRequestMethodConditionConfig::builder().set_values(words(m)).build()),
            )
            .set_query_string_config(query)
            .set_source_ip_config(
                source.as_ref().map(|s| sdk::SourceIpConditionConfig::builder().set_values(words(s)).build()),
            )
            .build()
    }

    /// The condition as AWS tells it: hosts and paths beside the field, in their configuration, or both.
    pub(crate) fn live(condition: &sdk::RuleCondition) -> Condition {
        let field = condition.field().unwrap_or_default();
        let patterns = |name: &str, told: Option<&[String]>| {
            let told = told.filter(|told| !told.is_empty()).unwrap_or(condition.values());
            let patterns = Patterns { values: set(told), regex_values: set(condition.regex_values()) };
            (field == name).then_some(patterns)
        };
        let words = |values: &[String]| Words { values: values.iter().cloned().collect() };
        let header = |header: &sdk::HttpHeaderConditionConfig| HttpHeader {
            http_header_name: header.http_header_name().unwrap_or_default().to_owned(),
            values: set(header.values()),
            regex_values: set(header.regex_values()),
        };
        let pair = |pair: &sdk::QueryStringKeyValuePair| QueryString {
            key: pair.key.clone(),
            value: pair.value.clone().unwrap_or_default(),
        };
        Condition {
            field: field.to_owned(),
            host_header_config: patterns("host-header", condition.host_header_config().map(|c| c.values())),
            path_pattern_config: patterns("path-pattern", condition.path_pattern_config().map(|c| c.values())),
            http_header_config: condition.http_header_config().map(header),
            http_request_method_config: condition.http_request_method_config().map(|c| words(c.values())),
            query_string_config: condition
                .query_string_config()
                .map(|c| QueryStrings { values: c.values().iter().map(pair).collect() }),
            source_ip_config: condition.source_ip_config().map(|c| words(c.values())),
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
            let condition: Condition = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(Condition::live(&condition.sdk()), condition, "{json}");
        }
    }

    #[test]
    fn a_path_beside_the_field_is_the_same() {
        let told = sdk::RuleCondition::builder().field("path-pattern").values("/api/*").build();
        let live = Condition::live(&told);
        assert_eq!(live.path_pattern_config.and_then(|p| p.values), Some(BTreeSet::from(["/api/*".to_owned()])));
        assert_eq!(live.host_header_config, None);
    }
}
