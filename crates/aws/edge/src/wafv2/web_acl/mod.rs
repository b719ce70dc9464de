//! WebAcl: a web ACL of AWS WAF, a firewall for HTTP requests.

mod check;
mod spec;
mod wire;

use std::collections::BTreeSet;

use aws_sdk_wafv2::types::ResourceType;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::names::LoadBalancer;
use holdfast_base::owner::TagOnCreate;
use holdfast_base::tagging;
use holdfast_base::wanted::{Listed, Wants as _, each, is_requested_field};
use holdfast_core::schema::relation::{
    Condition::{Is, Stated},
    Demand::{AnyOf, AtMostOne, Excludes, Needs, OneOf, Range, Unique},
    Relation, demand,
};
use holdfast_core::schema::{DocumentRelation, Idempotency, NamingRules, Tier, ValidationError};
use holdfast_core::types::{Arn, Ref};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde_json::{Value as Json, json};

pub(crate) use self::spec::WebAcl;
use self::spec::WebAclStatus;
use self::wire::merge;
use super::raw_json::call;
use super::{WafArn, WafTags, scopes, tags_of, wafv2};

/// The web ACL as WAF returned it, with its lock token and its logging configuration.
struct WebAclSnapshot {
    acl: Json,
    lock_token: Json,
    logging: Json,
}

impl Kind for WebAcl {
    type Status = WebAclStatus;
    type Owner = TagOnCreate<WafTags>;
    const TIER: Tier = Tier::Edge;
    const NAMING: NamingRules =
        NamingRules { form: (r"[\w-]+", "has letters, digits and the characters `_-`"), ..NamingRules::limit(128) };
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    /// A load balancer has one web ACL (<https://docs.aws.amazon.com/waf/latest/APIReference/API_AssociateWebACL.html>).
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] = &[
        DocumentRelation::Unique(&[Self::SCOPE.name(), "name"]),
        DocumentRelation::InRegion { field: Self::SCOPE.name(), value: "CLOUDFRONT", region: "us-east-1" },
        DocumentRelation::Exclusive(Self::ASSOCIATIONS.name()),
    ];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/waf/latest/APIReference/API_Rule.html
        demand(Unique("rules", &["priority"])),
        demand(AnyOf(&["action", "overrideAction"])).at("rules.*"),
        demand(AtMostOne(&["action", "overrideAction"])).at("rules.*"),
        demand(Excludes("action")).when(&[Stated("statement.ManagedRuleGroupStatement")]).at("rules.*"),
        demand(Excludes("action")).when(&[Stated("statement.RuleGroupReferenceStatement")]).at("rules.*"),
        // https://docs.aws.amazon.com/waf/latest/APIReference/API_RateBasedStatement.html
        demand(Needs("Limit")).at("rules.*.statement.RateBasedStatement"),
        demand(Range("Limit", Some(10), Some(2_000_000_000))).at("rules.*.statement.RateBasedStatement"),
        demand(OneOf("EvaluationWindowSec", &["60", "120", "300", "600"])).at("rules.*.statement.RateBasedStatement"),
        demand(OneOf("AggregateKeyType", &["IP", "FORWARDED_IP", "CUSTOM_KEYS", "CONSTANT"]))
            .at("rules.*.statement.RateBasedStatement"),
        demand(Needs("CustomKeys"))
            .when(&[Is("AggregateKeyType", &["CUSTOM_KEYS"])])
            .at("rules.*.statement.RateBasedStatement"),
        demand(Needs("ScopeDownStatement"))
            .when(&[Is("AggregateKeyType", &["CONSTANT"])])
            .at("rules.*.statement.RateBasedStatement"),
        demand(Needs("ForwardedIPConfig"))
            .when(&[Is("AggregateKeyType", &["FORWARDED_IP"])])
            .at("rules.*.statement.RateBasedStatement"),
    ];

    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        check::check(spec)
    }

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
                listed.extend(page.web_acls.unwrap_or_default().into_iter().filter_map(|acl| acl.arn));
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
        wire::put(&mut body, &desired.spec);
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
        if desired.changed_besides(&[WebAcl::ASSOCIATIONS, WebAcl::LOGGING_CONFIGURATION]) {
            let raw = live.raw::<WebAclSnapshot>()?;
            let mut body = wire::updatable(&raw.acl);
            merge(&mut body, WafArn::parse(&live.id)?.json());
            merge(&mut body, json!({ "LockToken": raw.lock_token }));
            wire::put(&mut body, &desired.spec);
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
                    let body = wire::put_logging(logging, current, &live.id);
                    call!(wafv2(aws).put_logging_configuration(), json!({ "LoggingConfiguration": body }))?;
                }
                None => {
                    wafv2(aws).delete_logging_configuration().resource_arn(&live.id).send().await?;
                }
            }
        }
        // A web ACL that was created in this pass has no snapshot, and these requests determine the rest of its state.
        Ok(if live.raw.is_none() { Updated::Known } else { Updated::ObserveAgain })
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
}

/// Observes one web ACL. Returns none when it does not exist or the scope does not request it. A web ACL that only
/// matches by name and is not owned is returned without its associations and its logging.
async fn observe_one(aws: &Aws, scope: &Scope, arn: String) -> Result<Option<Live<WebAcl>>> {
    let arn = arn.as_str();
    let identity = WafArn::parse(arn)?;
    let listed = || Listed::id(arn).named(identity.name);
    if !scope.wants(&listed()).any() {
        return Ok(None);
    }
    let request = async { call!(wafv2(aws).get_web_acl(), identity.json()).or_absent() };
    let tags = tagging::tags(aws, scope, arn, || tags_of(aws, arn));
    let (Some(tags), Some(output)) = futures::try_join!(tags, request)? else { return Ok(None) };
    let (acl, lock_token) = (output["WebACL"].clone(), output["LockToken"].clone());
    let mut spec = wire::from_response(&acl, identity.scope)?;
    let mut logging = Json::Null;
    let want = scope.wants(&listed().tags(&tags).spec(&spec));
    if !want.any() {
        return Ok(None);
    }
    if want.fields() {
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
        spec.logging_configuration = wire::logging_from_response(&logging)?;
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
