//! WebAcl: a firewall for HTTP.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::statement::Statement;
use crate::client::Aws;
use crate::error::{Error, Result};
use crate::kind::{Desired, Kind, Live};
use crate::kinds::elbv2::load_balancer::LoadBalancer;

/// A firewall for HTTP: rules that let requests through to load balancers and distributions, or not.
///
/// Statements and actions are written as WAF's own JSON, which is what its documentation and the JSON editor of its
/// console show (<https://docs.aws.amazon.com/waf/latest/APIReference/API_Statement.html>); an IP set stands in them
/// as `IPSetReferenceStatement: { ARN: "${IpSet.office.arn}" }`. What the document does not say stays as it is, and
/// so do settings that this kind does not know.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebAcl {
    /// `REGIONAL`, or `CLOUDFRONT` for distributions: then its `region` has to be us-east-1.
    #[spec(immutable)]
    scope: String,
    /// What happens to requests that no rule decides about: `{ Allow: {} }` or `{ Block: {} }`.
    default_action: Statement,
    /// The rules, by name. Rules that are not stated are taken away; absent, all stay as they are.
    rules: Option<BTreeMap<String, Rule>>,
    /// Metrics and samples of requests.
    visibility_config: VisibilityConfig,
    /// What people read about it.
    description: Option<String>,
    /// Bodies of answers, by the keys that `CustomResponseBodyKey` in a `Block` action names.
    custom_response_bodies: Option<BTreeMap<String, CustomResponseBody>>,
    /// Further domains whose tokens are taken, for captchas and challenges.
    token_domains: Option<BTreeSet<String>>,
    /// The application load balancers that it protects: with the scope `REGIONAL`. A load balancer has one web ACL at
    /// most, and stating it here takes it from another. Distributions name their web ACL themselves.
    associations: Option<BTreeSet<Ref<LoadBalancer, Arn>>>,
    /// Where requests are logged; `null` for nowhere.
    logging_configuration: Option<LoggingConfiguration>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rule {
    /// Its place: the rule with the lowest number is asked first. No two are alike.
    pub(super) priority: i32,
    /// Which requests it takes, as in `{ GeoMatchStatement: { CountryCodes: [DE] } }`. A `SearchString` is the text
    /// itself.
    pub(super) statement: Statement,
    /// What happens to them: `{ Block: {} }`, `{ Allow: {} }`, `{ Count: {} }`, `{ Captcha: {} }` or
    /// `{ Challenge: {} }`. Not with rule groups.
    pub(super) action: Option<Statement>,
    /// With rule groups: `{ None: {} }` leaves the group's actions, `{ Count: {} }` only counts.
    pub(super) override_action: Option<Statement>,
    /// Labels for later rules, at most 100.
    pub(super) rule_labels: Option<BTreeSet<String>>,
    /// Its metrics and samples. A new rule without has both, and its name for the metric.
    pub(super) visibility_config: Option<Always<VisibilityConfig>>,
}

/// Metrics and samples of requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VisibilityConfig {
    /// Whether samples of requests are kept. Our default is true.
    #[serde(default = "yes")]
    pub(super) sampled_requests_enabled: bool,
    /// Whether there are metrics. Our default is true.
    #[serde(default = "yes")]
    pub(super) cloud_watch_metrics_enabled: bool,
    /// The metric's name: letters, digits, hyphens and underscores.
    pub(super) metric_name: String,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomResponseBody {
    /// `TEXT_PLAIN`, `TEXT_HTML` or `APPLICATION_JSON`.
    pub(super) content_type: String,
    /// The body.
    pub(super) content: String,
}

/// Where requests are logged
/// (<https://docs.aws.amazon.com/waf/latest/developerguide/logging-destinations.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoggingConfiguration {
    /// One log group, bucket or delivery stream, whose name begins with `aws-waf-logs-`: `${LogGroup.waf.arn}`.
    pub(super) log_destination_configs: BTreeSet<Arn>,
    /// What is left out of logs, in WAF's own JSON: `[{ SingleHeader: { Name: authorization } }]`.
    pub(super) redacted_fields: Option<Statement>,
    /// Which requests are logged, in WAF's own JSON
    /// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_LoggingFilter.html>).
    pub(super) logging_filter: Option<Statement>,
}

fn yes() -> bool {
    true
}

/// What only AWS knows of a WebAcl.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebAclStatus {
    /// Its ARN.
    arn: String,
}

impl Kind for WebAcl {
    type Status = WebAclStatus;
    const TIER: Tier = Tier::Edge;
    const NAMING: Naming = Naming::limit(64);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(_aws: &Aws, _scope: &Scope) -> Result<Vec<Live<Self>>> {
        Ok(vec![])
    }

    async fn create(_aws: &Aws, _desired: &Desired<Self>) -> Result<String> {
        Err(Error::terminal("WebAcl", "this kind is not there yet"))
    }

    async fn update(_aws: &Aws, _live: &Live<Self>, _desired: &Desired<Self>) -> Result<()> {
        Err(Error::terminal("WebAcl", "this kind is not there yet"))
    }

    async fn delete(_aws: &Aws, _live: &Live<Self>) -> Result<()> {
        Err(Error::terminal("WebAcl", "this kind is not there yet"))
    }
}
