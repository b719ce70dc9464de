//! The spec of a web ACL.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_wafv2::types as sdk;
use holdfast_base::names::LoadBalancer;
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::wafv2::statement::Statement;

/// A web ACL of AWS WAF: a firewall that allows or blocks HTTP requests to load balancers and distributions.
///
/// Statements and actions use WAF's own JSON, as in WAF's documentation and in the JSON editor of its console
/// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_Statement.html>). A statement refers to an IP set with
/// `IPSetReferenceStatement: { ARN: "${IpSet.office.arn}" }`. Fields that the document does not state, and settings
/// that this kind does not know, keep their live values.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebAcl {
    /// The scope: `REGIONAL`, or `CLOUDFRONT` for distributions. `CLOUDFRONT` requires the region us-east-1.
    #[spec(immutable, one_of = sdk::Scope)]
    pub(super) scope: String,
    /// The action for requests that no rule decides: `{ Allow: {} }` or `{ Block: {} }`.
    pub(super) default_action: Statement,
    /// The rules, by name. Live rules that are not stated are removed. Without this field, all live rules are kept.
    pub(super) rules: Option<BTreeMap<String, WebAclRule>>,
    /// The CloudWatch metrics and the request samples of the web ACL.
    pub(super) visibility_config: VisibilityConfig,
    /// The description of the web ACL.
    #[spec(length = 1..=256, pattern = r"[\w+=:#@/\-,\.][\w+=:#@/\-,\.\s]+[\w+=:#@/\-,\.]")]
    pub(super) description: Option<String>,
    /// The custom response bodies, by the keys that `CustomResponseBodyKey` in a `Block` action refers to.
    pub(super) custom_response_bodies: Option<BTreeMap<String, CustomResponseBody>>,
    /// Additional domains whose tokens WAF accepts, for CAPTCHA and challenge actions.
    #[spec(length = 1..=253, pattern = r"[\w\.\-/]+")]
    pub(super) token_domains: Option<BTreeSet<String>>,
    /// The application load balancers that the web ACL protects, for the scope `REGIONAL`. A load balancer has at most
    /// one web ACL, so an association that is stated here replaces the association with another web ACL. A distribution
    /// states its web ACL in its own spec.
    pub(super) associations: Option<BTreeSet<Ref<LoadBalancer, Arn>>>,
    /// The logging of requests; `null` for none.
    pub(super) logging_configuration: Option<LoggingConfiguration>,
}

/// A rule of a web ACL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebAclRule {
    /// The priority: WAF evaluates the rule with the lowest number first. Each priority is unique within the web ACL.
    #[spec(range = 0..)]
    pub(super) priority: i32,
    /// The statement that selects requests, as in `{ GeoMatchStatement: { CountryCodes: [DE] } }`. A `SearchString` is
    /// plain text.
    pub(super) statement: Statement,
    /// The action for matching requests: `{ Block: {} }`, `{ Allow: {} }`, `{ Count: {} }`, `{ Captcha: {} }` or
    /// `{ Challenge: {} }`. Not for statements that refer to rule groups.
    pub(super) action: Option<Statement>,
    /// The override action for statements that refer to rule groups: `{ None: {} }` keeps the group's actions,
    /// `{ Count: {} }` only counts matching requests.
    pub(super) override_action: Option<Statement>,
    /// The labels that the rule adds to matching requests, for later rules; at most 100.
    #[spec(items = ..=100, length = 1..=1024, pattern = r"[0-9A-Za-z_\-:]+")]
    pub(super) rule_labels: Option<BTreeSet<String>>,
    /// The CloudWatch metrics and the request samples of the rule. A new rule without this field has both enabled, and
    /// its name as the metric name.
    pub(super) visibility_config: Option<ServerDefault<VisibilityConfig>>,
}

/// The CloudWatch metrics and the request samples of a web ACL or a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VisibilityConfig {
    /// Whether WAF stores samples of matching requests. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) sampled_requests_enabled: bool,
    /// Whether WAF sends metrics to CloudWatch. Holdfast's default is true.
    #[serde(default = "yes")]
    pub(super) cloud_watch_metrics_enabled: bool,
    /// The metric name.
    #[spec(length = 1..=255, pattern = r"[\w#:\.\-/]+")]
    pub(super) metric_name: String,
}

/// The body of a custom response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomResponseBody {
    /// The content type.
    #[spec(one_of = sdk::ResponseContentType)]
    pub(super) content_type: String,
    /// The content.
    #[spec(length = 1..=10240)]
    pub(super) content: String,
}

/// The logging of a web ACL's requests
/// (<https://docs.aws.amazon.com/waf/latest/developerguide/logging-destinations.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoggingConfiguration {
    /// The log destination: the ARN of one log group, bucket or delivery stream whose name begins with `aws-waf-logs-`,
    /// as in `${LogGroup.waf.arn}`.
    #[spec(items = 1..=1)]
    pub(super) log_destination_configs: BTreeSet<Arn>,
    /// The request fields that are left out of the logs, as WAF's own JSON:
    /// `[{ SingleHeader: { Name: authorization } }]`.
    pub(super) redacted_fields: Option<Statement>,
    /// The filter that selects the requests to log, as WAF's own JSON
    /// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_LoggingFilter.html>).
    pub(super) logging_filter: Option<Statement>,
}

fn yes() -> bool {
    true
}

/// The read-only attributes of a WebAcl.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebAclStatus {
    /// The ARN of the web ACL, which is also its id.
    pub(super) arn: String,
    /// The web ACL capacity units (WCUs) that the rules use; more than 1500 cost extra. Unknown until the web ACL has
    /// been observed.
    pub(super) capacity: Option<i64>,
}
