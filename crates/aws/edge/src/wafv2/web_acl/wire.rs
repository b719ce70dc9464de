//! Conversion of a web ACL to WAF's JSON and back. A write edits the JSON that WAF returned.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_base::error::{Error, Result};
use holdfast_core::types::{Arn, ServerDefault};
use serde_json::{Map, Value as Json, json};

use super::spec::{CustomResponseBody, LoggingConfiguration, VisibilityConfig, WebAcl, WebAclRule};
use crate::wafv2::statement::Statement;

/// Fields that GetWebACL returns and UpdateWebACL does not accept
/// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_WebACL.html>).
const RESPONSE_ONLY: [&str; 8] = [
    "ARN",
    "Capacity",
    "LabelNamespace",
    "ManagedByFirewallManager",
    "PostProcessFirewallManagerRuleGroups",
    "PreProcessFirewallManagerRuleGroups",
    "RetrofittedByFirewallManager",
    "Tags",
];

/// Sets the fields of `more` in `body`.
pub(super) fn merge(body: &mut Json, more: Json) {
    if let (Json::Object(body), Json::Object(more)) = (body, more) {
        body.extend(more);
    }
}

/// Returns the web ACL without the fields that an update does not accept.
pub(super) fn updatable(acl: &Json) -> Json {
    let fields = acl.as_object().into_iter().flatten();
    let fields = fields.filter(|(key, _)| !RESPONSE_ONLY.contains(&key.as_str()));
    Json::Object(fields.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// Writes the spec into the body of a create or an update.
pub(super) fn put(body: &mut Json, spec: &WebAcl) {
    let WebAcl {
        scope: _,
        default_action,
        rules,
        visibility_config,
        description,
        custom_response_bodies,
        token_domains,
        associations: _,
        logging_configuration: _,
    } = spec;
    let live: Vec<Json> = body["Rules"].as_array().cloned().unwrap_or_default();
    let live = |name: &str| live.iter().find(|rule| rule["Name"] == name).cloned();
    let rules: Vec<Json> =
        rules.iter().flatten().map(|(name, rule)| put_rule(name, rule, live(name).unwrap_or_default())).collect();
    let bodies = custom_response_bodies.iter().flatten().map(|(key, body)| {
        let CustomResponseBody { content_type, content } = body;
        (key.clone(), json!({ "ContentType": content_type, "Content": content }))
    });
    let bodies: Map<String, Json> = bodies.collect();
    merge(
        body,
        json!({
            "DefaultAction": default_action.wire(),
            "Rules": rules,
            "VisibilityConfig": put_visibility(visibility_config),
        }),
    );
    optional(body, "Description", description.as_ref().map(|text| json!(text)));
    optional(body, "CustomResponseBodies", Some(json!(bodies)).filter(|_| !bodies.is_empty()));
    let domains = token_domains.as_ref().filter(|domains| !domains.is_empty());
    optional(body, "TokenDomains", domains.map(|domains| json!(domains)));
}

fn put_rule(name: &str, rule: &WebAclRule, live: Json) -> Json {
    let WebAclRule { priority, statement, action, override_action, rule_labels, visibility_config } = rule;
    let default = || VisibilityConfig {
        sampled_requests_enabled: true,
        cloud_watch_metrics_enabled: true,
        metric_name: name.to_owned(),
    };
    let visibility = match (visibility_config, live.get("VisibilityConfig")) {
        (Some(ServerDefault(stated)), _) => put_visibility(stated),
        (None, Some(live)) => live.clone(),
        (None, None) => put_visibility(&default()),
    };
    // A rule has either an action or an override action. If the merged spec has both, the one that the live rule lacks
    // is the desired one.
    let both = action.is_some() && override_action.is_some();
    let action = action.as_ref().filter(|_| !both || live.get("Action").is_none());
    let override_action = override_action.as_ref().filter(|_| !both || live.get("OverrideAction").is_none());
    let mut raw = if live.is_object() { live } else { json!({}) };
    merge(
        &mut raw,
        json!({
            "Name": name,
            "Priority": priority,
            "Statement": statement.wire(),
            "VisibilityConfig": visibility,
        }),
    );
    optional(&mut raw, "Action", action.map(Statement::wire));
    optional(&mut raw, "OverrideAction", override_action.map(Statement::wire));
    if let Some(labels) = rule_labels {
        let labels: Vec<Json> = labels.iter().map(|label| json!({ "Name": label })).collect();
        optional(&mut raw, "RuleLabels", Some(json!(labels)).filter(|_| !labels.is_empty()));
    }
    raw
}

fn put_visibility(stated: &VisibilityConfig) -> Json {
    let VisibilityConfig { sampled_requests_enabled, cloud_watch_metrics_enabled, metric_name } = stated;
    json!({
        "SampledRequestsEnabled": sampled_requests_enabled,
        "CloudWatchMetricsEnabled": cloud_watch_metrics_enabled,
        "MetricName": metric_name,
    })
}

/// Returns the logging configuration as an edit of the live one.
pub(super) fn put_logging(stated: &LoggingConfiguration, live: &Json, arn: &str) -> Json {
    let LoggingConfiguration { log_destination_configs, redacted_fields, logging_filter } = stated;
    let mut raw = if live.is_object() { live.clone() } else { json!({}) };
    if let Some(raw) = raw.as_object_mut() {
        raw.remove("ManagedByFirewallManager");
    }
    merge(&mut raw, json!({ "ResourceArn": arn, "LogDestinationConfigs": log_destination_configs }));
    optional(&mut raw, "RedactedFields", redacted_fields.as_ref().map(Statement::wire));
    optional(&mut raw, "LoggingFilter", logging_filter.as_ref().map(Statement::wire));
    raw
}

fn optional(body: &mut Json, key: &str, value: Option<Json>) {
    let Some(map) = body.as_object_mut() else { return };
    match value {
        Some(value) => map.insert(key.to_owned(), value),
        None => map.remove(key),
    };
}

/// Returns the spec of a web ACL that WAF returned, without its associations and its logging.
pub(super) fn from_response(acl: &Json, scope: &str) -> Result<WebAcl> {
    let missing = |what: &str| Error::incomplete("wafv2.GetWebACL", what);
    let mut rules = BTreeMap::new();
    for rule in acl["Rules"].as_array().into_iter().flatten() {
        let labels = rule["RuleLabels"].as_array().into_iter().flatten();
        let spec = WebAclRule {
            priority: rule["Priority"].as_i64().and_then(|n| n.try_into().ok()).ok_or_else(|| missing("priority"))?,
            statement: Statement::from_response(&rule["Statement"]),
            action: rule.get("Action").map(Statement::from_response),
            override_action: rule.get("OverrideAction").map(Statement::from_response),
            rule_labels: Some(labels.filter_map(|label| text(&label["Name"])).collect()),
            visibility_config: Some(ServerDefault(visibility(&rule["VisibilityConfig"]))),
        };
        rules.insert(text(&rule["Name"]).ok_or_else(|| missing("name"))?, spec);
    }
    let bodies = acl["CustomResponseBodies"].as_object().into_iter().flatten().map(|(key, body)| {
        let content_type = text(&body["ContentType"]).unwrap_or_default();
        (key.clone(), CustomResponseBody { content_type, content: text(&body["Content"]).unwrap_or_default() })
    });
    let domains = acl["TokenDomains"].as_array().into_iter().flatten().filter_map(text);
    Ok(WebAcl {
        scope: scope.to_owned(),
        default_action: Statement::from_response(&acl["DefaultAction"]),
        rules: Some(rules),
        visibility_config: visibility(&acl["VisibilityConfig"]),
        description: text(&acl["Description"]).filter(|text| !text.is_empty()),
        custom_response_bodies: Some(bodies.collect()),
        token_domains: Some(domains.collect()),
        associations: None,
        logging_configuration: None,
    })
}

/// Returns the logging that WAF returned; none when the web ACL has no logging. WAF returns the ARN of a log group with
/// or without `:*` at its end.
pub(super) fn logging_from_response(response: &Json) -> Result<Option<LoggingConfiguration>> {
    if !response.is_object() {
        return Ok(None);
    }
    let arns = response["LogDestinationConfigs"].as_array().into_iter().flatten().filter_map(text);
    let arns: BTreeSet<Arn> = arns.map(|arn| Arn(arn.trim_end_matches(":*").to_owned())).collect();
    let part = |key: &str| response.get(key).filter(|part| part.as_array().is_none_or(|list| !list.is_empty()));
    Ok(Some(LoggingConfiguration {
        log_destination_configs: arns,
        redacted_fields: part("RedactedFields").map(Statement::from_response),
        logging_filter: part("LoggingFilter").map(Statement::from_response),
    }))
}

fn visibility(response: &Json) -> VisibilityConfig {
    VisibilityConfig {
        sampled_requests_enabled: response["SampledRequestsEnabled"].as_bool().unwrap_or(false),
        cloud_watch_metrics_enabled: response["CloudWatchMetricsEnabled"].as_bool().unwrap_or(false),
        metric_name: text(&response["MetricName"]).unwrap_or_default(),
    }
}

fn text(json: &Json) -> Option<String> {
    json.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_keeps_settings_that_the_spec_does_not_know() -> Result<()> {
        let response = json!({
            "Name": "web", "Capacity": 1, "ARN": "a", "DefaultAction": { "Allow": {} },
            "VisibilityConfig":
                { "SampledRequestsEnabled": true, "CloudWatchMetricsEnabled": true, "MetricName": "web" },
            "AssociationConfig": { "RequestBody": {} },
            "Rules": [{ "Name": "geo", "Priority": 0, "Action": { "Block": {} }, "Statement": { "NewStatement": {} },
                "CaptchaConfig": { "ImmunityTimeProperty": { "ImmunityTime": 60 } },
                "VisibilityConfig":
                    { "SampledRequestsEnabled": true, "CloudWatchMetricsEnabled": true, "MetricName": "g" } }],
        });
        let mut spec = from_response(&response, "REGIONAL")?;
        spec.description = Some("Web".into());
        let mut body = updatable(&response);
        put(&mut body, &spec);
        assert_eq!(body["Rules"], response["Rules"]);
        assert_eq!(body["AssociationConfig"], response["AssociationConfig"]);
        assert_eq!((&body["Description"], body.get("Capacity")), (&json!("Web"), None));
        Ok(())
    }
}
