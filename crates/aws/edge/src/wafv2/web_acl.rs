//! WebAcl: a firewall for HTTP.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_wafv2::types::ResourceType;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag, asks_for, each};
use holdfast_base::names::LoadBalancer;
use holdfast_base::tagging;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::statement::Statement;
use super::web_acl_wire::merge;
use super::wire::call;
use super::{Identity, is_asked_for, scopes, tag, tags_of, wafv2, web_acl_wire};

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
    pub(super) scope: String,
    /// What happens to requests that no rule decides about: `{ Allow: {} }` or `{ Block: {} }`.
    pub(super) default_action: Statement,
    /// The rules, by name. Rules that are not stated are taken away; absent, all stay as they are.
    pub(super) rules: Option<BTreeMap<String, Rule>>,
    /// Metrics and samples of requests.
    pub(super) visibility_config: VisibilityConfig,
    /// What people read about it.
    pub(super) description: Option<String>,
    /// Bodies of answers, by the keys that `CustomResponseBodyKey` in a `Block` action names.
    pub(super) custom_response_bodies: Option<BTreeMap<String, CustomResponseBody>>,
    /// Further domains whose tokens are taken, for captchas and challenges.
    pub(super) token_domains: Option<BTreeSet<String>>,
    /// The application load balancers that it protects: with the scope `REGIONAL`. A load balancer has one web ACL at
    /// most, and stating it here takes it from another. Distributions name their web ACL themselves.
    pub(super) associations: Option<BTreeSet<Ref<LoadBalancer, Arn>>>,
    /// Where requests are logged; `null` for nowhere.
    pub(super) logging_configuration: Option<LoggingConfiguration>,
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
    /// Its ARN; also its id.
    arn: String,
    /// How many capacity units its rules take: more than 1500 cost extra. Not known before it was looked at.
    capacity: Option<i64>,
}

/// AWS's own view: the web ACL, its lock token, and its logging.
struct Raw {
    acl: Json,
    lock: Json,
    logging: Json,
}

impl Kind for WebAcl {
    type Status = WebAclStatus;
    const TIER: Tier = Tier::Edge;
    const NAMING: Naming = Naming::limit(128);
    const CLASS: CreateClass = CreateClass::Name;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let is = |service: &str, resource: &str| service == "wafv2" && resource.split('/').nth(1) == Some("webacl");
        if let Some(found) = tagging::known(aws, scope, is, |arn, _| look(aws, scope, arn)).await? {
            return Ok(found);
        }
        let mut listed = vec![];
        for of in scopes(&scope.region) {
            let mut marker = None;
            loop {
                let ask = wafv2(aws).list_web_acls().scope((*of).into()).limit(100).set_next_marker(marker);
                let page = ask.send().await?;
                let acls = page.web_acls.unwrap_or_default().into_iter().filter_map(|acl| Some((acl.name?, acl.arn?)));
                listed.extend(acls.map(|(_, arn)| arn));
                marker = page.next_marker;
                if marker.is_none() {
                    break;
                }
            }
        }
        each(listed, |arn| look(aws, scope, arn)).await
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let tags: Vec<Json> = desired.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
        let mut body = json!({ "Name": desired.name, "Scope": desired.spec.scope, "Tags": tags });
        web_acl_wire::put(&mut body, &desired.spec);
        let made = call!(wafv2(aws).create_web_acl(), body)?;
        let arn = made["Summary"]["ARN"].as_str().ok_or_else(|| Error::incomplete("wafv2.CreateWebACL", "arn"))?;
        // It has neither associations nor logging yet.
        let associations = Some(BTreeSet::new());
        let spec = WebAcl { associations, logging_configuration: None, ..desired.spec.clone() };
        Ok(Live { spec, ..desired.made(arn, status(arn, &Json::Null)) }.into())
    }

    /// What the create does not take follows it: associations and logging.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
        let own = |field: &String| !matches!(field.as_str(), "associations" | "loggingConfiguration" | "tags");
        if desired.changed.iter().any(own) {
            let raw = live.raw::<Raw>()?;
            let mut body = web_acl_wire::updatable(&raw.acl);
            merge(&mut body, Identity::of(&live.id)?.json());
            merge(&mut body, json!({ "LockToken": raw.lock }));
            web_acl_wire::put(&mut body, &desired.spec);
            call!(wafv2(aws).update_web_acl(), body)?;
        }
        let WebAcl { associations, logging_configuration, .. } = &desired.spec;
        if desired.changed("associations") {
            let (wanted, there) = (associations.clone().unwrap_or_default(), &live.spec.associations);
            for balancer in wanted.iter().filter(|of| !there.as_ref().is_some_and(|there| there.contains(of))) {
                let associate = wafv2(aws).associate_web_acl().web_acl_arn(&live.id);
                associate.resource_arn(balancer.as_str()).send().await?;
            }
            for balancer in there.iter().flatten().filter(|of| !wanted.contains(of)) {
                wafv2(aws).disassociate_web_acl().resource_arn(balancer.as_str()).send().await?;
            }
        }
        if desired.changed("loggingConfiguration") {
            match logging_configuration {
                Some(logging) => {
                    // One that was made just now has none.
                    let there = live.raw::<Raw>().map_or(&Json::Null, |raw| &raw.logging);
                    let body = web_acl_wire::put_logging(logging, there, &live.id);
                    call!(wafv2(aws).put_logging_configuration(), json!({ "LoggingConfiguration": body }))?;
                }
                None => {
                    wafv2(aws).delete_logging_configuration().resource_arn(&live.id).send().await?;
                }
            }
        }
        Ok(())
    }

    /// AWS refuses to delete what still protects something.
    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        for balancer in live.spec.associations.iter().flatten() {
            wafv2(aws).disassociate_web_acl().resource_arn(balancer.as_str()).send().await?;
        }
        let Identity { scope, name, id } = Identity::of(&live.id)?;
        let delete = wafv2(aws).delete_web_acl().name(name).scope(scope.into()).id(id);
        delete.set_lock_token(live.raw::<Raw>()?.lock.as_str().map(str::to_owned)).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

/// All of one web ACL, and none when it went away or is not asked for. Somebody else's, which only has a name of ours, is told without its
/// associations and its logging.
async fn look(aws: &Aws, scope: &Scope, arn: String) -> Result<Option<Live<WebAcl>>> {
    let arn = arn.as_str();
    let identity = Identity::of(arn)?;
    if !is_asked_for(scope, identity.name, arn) {
        return Ok(None);
    }
    let ask = async { call!(wafv2(aws).get_web_acl(), identity.json()).or_absent() };
    let tags = tagging::tags(aws, scope, arn, || tags_of(aws, arn));
    let (Some(tags), Some(answer)) = futures::try_join!(tags, ask)? else { return Ok(None) };
    let (acl, lock) = (answer["WebACL"].clone(), answer["LockToken"].clone());
    let mut spec = web_acl_wire::live(&acl, identity.scope)?;
    let mut logging = Json::Null;
    if scope.is_owned(&tags) || scope.ids.contains(arn) || !scope.lookups.is_empty() {
        let ask = json!({ "ResourceArn": arn });
        let (answer, protects) = futures::try_join!(
            async {
                match asks_for::<WebAcl>(scope, &tags, "loggingConfiguration") {
                    true => call!(wafv2(aws).get_logging_configuration(), ask).or_absent(),
                    false => Ok(None),
                }
            },
            associations(aws, arn, identity.scope)
        )?;
        logging = answer.map(|answer| answer["LoggingConfiguration"].clone()).unwrap_or_default();
        spec.logging_configuration = web_acl_wire::live_logging(&logging)?;
        spec.associations = Some(protects);
    }
    Ok(Some(Live::new(arn, identity.name, spec, status(arn, &acl)).tags(tags).keep(Raw { acl, lock, logging })))
}

fn status(arn: &str, acl: &Json) -> WebAclStatus {
    WebAclStatus { arn: arn.to_owned(), capacity: acl["Capacity"].as_i64() }
}

/// The load balancers that a web ACL protects. WAF lists only those of a region
/// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_ListResourcesForWebACL.html>).
async fn associations(aws: &Aws, arn: &str, scope: &str) -> Result<BTreeSet<Ref<LoadBalancer, Arn>>> {
    if scope != "REGIONAL" {
        return Ok(BTreeSet::new());
    }
    let ask = wafv2(aws).list_resources_for_web_acl().web_acl_arn(arn);
    let answer = ask.resource_type(ResourceType::ApplicationLoadBalancer).send().await.or_absent()?;
    let arns = answer.and_then(|answer| answer.resource_arns).unwrap_or_default();
    Ok(arns.into_iter().map(Ref::new).collect())
}
