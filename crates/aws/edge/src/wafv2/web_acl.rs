//! WebAcl: a web ACL of AWS WAF, a firewall for HTTP requests.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_wafv2::types::ResourceType;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated, each, is_requested_field};
use holdfast_base::names::LoadBalancer;
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::statement::Statement;
use super::web_acl_wire::merge;
use super::wire::call;
use super::{WafArn, is_requested, scopes, tag, tags_of, wafv2, web_acl_wire};

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
    #[spec(immutable)]
    pub(super) scope: String,
    /// The action for requests that no rule decides: `{ Allow: {} }` or `{ Block: {} }`.
    pub(super) default_action: Statement,
    /// The rules, by name. Live rules that are not stated are removed. Without this field, all live rules are kept.
    pub(super) rules: Option<BTreeMap<String, WebAclRule>>,
    /// The CloudWatch metrics and the request samples of the web ACL.
    pub(super) visibility_config: VisibilityConfig,
    /// The description of the web ACL.
    pub(super) description: Option<String>,
    /// The custom response bodies, by the keys that `CustomResponseBodyKey` in a `Block` action refers to.
    pub(super) custom_response_bodies: Option<BTreeMap<String, CustomResponseBody>>,
    /// Additional domains whose tokens WAF accepts, for CAPTCHA and challenge actions.
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
    /// The metric name: letters, digits, hyphens and underscores.
    pub(super) metric_name: String,
}

/// The body of a custom response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CustomResponseBody {
    /// The content type: `TEXT_PLAIN`, `TEXT_HTML` or `APPLICATION_JSON`.
    pub(super) content_type: String,
    /// The content.
    pub(super) content: String,
}

/// The logging of a web ACL's requests
/// (<https://docs.aws.amazon.com/waf/latest/developerguide/logging-destinations.html>).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoggingConfiguration {
    /// The log destination: the ARN of one log group, bucket or delivery stream whose name begins with `aws-waf-logs-`,
    /// as in `${LogGroup.waf.arn}`.
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
    arn: String,
    /// The web ACL capacity units (WCUs) that the rules use; more than 1500 cost extra. Unknown until the web ACL has
    /// been observed.
    capacity: Option<i64>,
}

/// The web ACL as WAF returned it, with its lock token and its logging configuration.
struct WebAclSnapshot {
    acl: Json,
    lock_token: Json,
    logging: Json,
}

impl Kind for WebAcl {
    type Status = WebAclStatus;
    const TIER: Tier = Tier::Edge;
    const NAMING: NamingRules = NamingRules::limit(128);
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is_web_acl =
            |service: &str, resource: &str| service == "wafv2" && resource.split('/').nth(1) == Some("webacl");
        if let Some(found) = tagging::known(aws, scope, is_web_acl, |arn, _| observe_one(aws, scope, arn)).await? {
            return Ok(found);
        }
        let mut listed = vec![];
        for waf_scope in scopes(&scope.region) {
            let mut marker = None;
            loop {
                let request = wafv2(aws).list_web_acls().scope((*waf_scope).into()).limit(100).set_next_marker(marker);
                let page = request.send().await?;
                let acls = page.web_acls.unwrap_or_default().into_iter().filter_map(|acl| Some((acl.name?, acl.arn?)));
                listed.extend(acls.map(|(_, arn)| arn));
                marker = page.next_marker;
                if marker.is_none() {
                    break;
                }
            }
        }
        each(listed, |arn| observe_one(aws, scope, arn)).await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let tags: Vec<Json> = desired.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        let mut body = json!({ "Name": desired.name, "Scope": desired.spec.scope, "Tags": tags });
        web_acl_wire::put(&mut body, &desired.spec);
        let output = call!(wafv2(aws).create_web_acl(), body)?;
        let arn = output["Summary"]["ARN"].as_str().ok_or_else(|| Error::incomplete("wafv2.CreateWebACL", "arn"))?;
        // A new web ACL has no associations and no logging.
        let associations = Some(BTreeSet::new());
        let spec = WebAcl { associations, logging_configuration: None, ..desired.spec.clone() };
        Ok(Live { spec, ..desired.as_live(arn, status(arn, &Json::Null)) }.into())
    }

    /// Writes the changed fields. Associations and logging have calls of their own: CreateWebACL does not accept them,
    /// so an update follows the create.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let is_in_body = |field: &String| !matches!(field.as_str(), "associations" | "loggingConfiguration" | "tags");
        if desired.changed.iter().any(is_in_body) {
            let raw = live.raw::<WebAclSnapshot>()?;
            let mut body = web_acl_wire::updatable(&raw.acl);
            merge(&mut body, WafArn::parse(&live.id)?.json());
            merge(&mut body, json!({ "LockToken": raw.lock_token }));
            web_acl_wire::put(&mut body, &desired.spec);
            call!(wafv2(aws).update_web_acl(), body)?;
        }
        let WebAcl { associations, logging_configuration, .. } = &desired.spec;
        if desired.changed(WebAcl::ASSOCIATIONS) {
            let (stated, current) = (associations.clone().unwrap_or_default(), &live.spec.associations);
            for balancer in stated.iter().filter(|of| !current.as_ref().is_some_and(|current| current.contains(of))) {
                let associate = wafv2(aws).associate_web_acl().web_acl_arn(&live.id);
                associate.resource_arn(balancer.as_str()).send().await?;
            }
            for balancer in current.iter().flatten().filter(|of| !stated.contains(of)) {
                wafv2(aws).disassociate_web_acl().resource_arn(balancer.as_str()).send().await?;
            }
        }
        if desired.changed(WebAcl::LOGGING_CONFIGURATION) {
            match logging_configuration {
                Some(logging) => {
                    // A web ACL that was created in this pass has no snapshot and no logging.
                    let current = live.raw::<WebAclSnapshot>().map_or(&Json::Null, |raw| &raw.logging);
                    let body = web_acl_wire::put_logging(logging, current, &live.id);
                    call!(wafv2(aws).put_logging_configuration(), json!({ "LoggingConfiguration": body }))?;
                }
                None => {
                    wafv2(aws).delete_logging_configuration().resource_arn(&live.id).send().await?;
                }
            }
        }
        Ok(Updated::ObserveAgain)
    }

    /// Removes the associations and deletes the web ACL. WAF refuses to delete a web ACL that is still associated.
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        for balancer in live.spec.associations.iter().flatten() {
            wafv2(aws).disassociate_web_acl().resource_arn(balancer.as_str()).send().await?;
        }
        let WafArn { scope, name, id } = WafArn::parse(&live.id)?;
        let delete = wafv2(aws).delete_web_acl().name(name).scope(scope.into()).id(id);
        delete.set_lock_token(live.raw::<WebAclSnapshot>()?.lock_token.as_str().map(str::to_owned)).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

/// Observes one web ACL. Returns none when it does not exist or the scope does not request it. A web ACL that only
/// matches by name and is not owned is returned without its associations and its logging.
async fn observe_one(aws: &Aws, scope: &Scope, arn: String) -> Result<Option<Live<WebAcl>>> {
    let arn = arn.as_str();
    let identity = WafArn::parse(arn)?;
    if !is_requested(scope, identity.name, arn) {
        return Ok(None);
    }
    let request = async { call!(wafv2(aws).get_web_acl(), identity.json()).or_absent() };
    let tags = tagging::tags(aws, scope, arn, || tags_of(aws, arn));
    let (Some(tags), Some(output)) = futures::try_join!(tags, request)? else { return Ok(None) };
    let (acl, lock_token) = (output["WebACL"].clone(), output["LockToken"].clone());
    let mut spec = web_acl_wire::from_response(&acl, identity.scope)?;
    let mut logging = Json::Null;
    if scope.is_owned(&tags) || scope.ids.contains(arn) || !scope.lookups.is_empty() {
        let body = json!({ "ResourceArn": arn });
        let (output, protected) = futures::try_join!(
            async {
                match is_requested_field(scope, &tags, WebAcl::LOGGING_CONFIGURATION) {
                    true => call!(wafv2(aws).get_logging_configuration(), body).or_absent(),
                    false => Ok(None),
                }
            },
            associations(aws, arn, identity.scope)
        )?;
        logging = output.map(|output| output["LoggingConfiguration"].clone()).unwrap_or_default();
        spec.logging_configuration = web_acl_wire::logging_from_response(&logging)?;
        spec.associations = Some(protected);
    }
    Ok(Some(Live::new(arn, identity.name, spec, status(arn, &acl)).tags(tags).keep(WebAclSnapshot {
        acl,
        lock_token,
        logging,
    })))
}

fn status(arn: &str, acl: &Json) -> WebAclStatus {
    WebAclStatus { arn: arn.to_owned(), capacity: acl["Capacity"].as_i64() }
}

/// Returns the load balancers that a web ACL protects. WAF lists them only for regional web ACLs
/// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_ListResourcesForWebACL.html>).
async fn associations(aws: &Aws, arn: &str, scope: &str) -> Result<BTreeSet<Ref<LoadBalancer, Arn>>> {
    if scope != "REGIONAL" {
        return Ok(BTreeSet::new());
    }
    let request = wafv2(aws).list_resources_for_web_acl().web_acl_arn(arn);
    let output = request.resource_type(ResourceType::ApplicationLoadBalancer).send().await.or_absent()?;
    let arns = output.and_then(|output| output.resource_arns).unwrap_or_default();
    Ok(arns.into_iter().map(Ref::new).collect())
}
