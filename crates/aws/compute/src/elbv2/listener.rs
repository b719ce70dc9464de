//! Listener: a port of a load balancer, and the default actions for its requests.

use std::sync::Arc;

use aws_sdk_elasticloadbalancingv2::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::names::Certificate;
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::{all, text};
use holdfast_base::wanted::{Listed, Wants, each};
use holdfast_core::Spec;
use holdfast_core::schema::relation::{
    Condition::{Is, IsNot, Stated},
    Demand::{AnyOf, AtMostOne, Excludes, Items, Needs, OneOf},
    Relation, demand,
};
use holdfast_core::schema::{
    DocumentRelation, Idempotency, Named as _, NamingRules, Replacement, Tier, ValidationError,
};
use holdfast_core::types::{Arn, Ref};
use holdfast_core::value::Value;
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::action::RuleAction;
use super::load_balancer::{LoadBalancer, load_balancers};
use super::{Elbv2Tags, add_tags, elbv2, name_of, sdk_tags};

/// A listener: a port of a load balancer. AWS refuses two listeners on one port. Additional certificates of the
/// listener are not managed. Its rules are separate resources (`ListenerRule`).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listener {
    /// The load balancer of the listener.
    #[spec(immutable)]
    load_balancer: Ref<LoadBalancer>,
    /// The port.
    #[spec(range = 1..=65535)]
    port: i32,
    /// The protocol: `HTTP` or `HTTPS`; for a network load balancer `TCP`, `TLS`, `UDP`, `TCP_UDP`, `QUIC` or
    /// `TCP_QUIC`.
    #[spec(one_of = sdk::ProtocolEnum)]
    protocol: String,
    /// For `HTTPS` and `TLS`: the security policy, which determines the TLS versions and ciphers, for example
    /// `ELBSecurityPolicy-TLS13-1-2-2021-06`. The default of the API is an older policy
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/application/describe-ssl-policies.html>).
    #[spec(never_null)]
    ssl_policy: Option<String>,
    /// For `HTTPS` and `TLS`: the default certificate. It must be issued.
    certificate: Option<Ref<Certificate, Arn>>,
    /// The actions for requests that match no listener rule.
    default_actions: Vec<RuleAction>,
}

/// The status of a Listener: values that AWS assigns.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListenerStatus {
    /// The listener's ARN; also its id.
    arn: String,
}

impl Kind for Listener {
    type Status = ListenerStatus;
    type Owner = TagOnCreate<Elbv2Tags>;
    const TIER: Tier = Tier::Compute;
    /// A target group can be used by one load balancer at a time (`TargetGroupAssociationLimit`), so a listener on another
    /// load balancer cannot be created while the old one forwards to the same target group.
    const REPLACEMENT: Replacement = Replacement::DestroyBeforeCreate;
    /// AWS refuses a second listener on a port (`DuplicateListener`,
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ModifyListener.html>).
    const UNIQUE: &'static [&'static [&'static str]] = &[&[Listener::LOAD_BALANCER.name(), Listener::PORT.name()]];
    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DeleteLoadBalancer.html>
    const DELETED_WITH: Option<&'static str> = Some(Listener::LOAD_BALANCER.name());
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::UniqueName;
    /// `DuplicateListener`
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html>).
    const DOCUMENT_RELATIONS: &'static [DocumentRelation] =
        &[DocumentRelation::Unique(&[Self::LOAD_BALANCER.name(), Self::PORT.name()])];
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html
        demand(OneOf("protocol", &["HTTPS", "TLS"])).when(&[Stated("sslPolicy")]),
        // https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_Action.html
        demand(AnyOf(&["targetGroup", "forwardConfig"])).when(&[Is("type", &["forward"])]).at("defaultActions.*"),
        demand(AtMostOne(&["targetGroup", "forwardConfig"])).at("defaultActions.*"),
        demand(Needs("redirectConfig")).when(&[Is("type", &["redirect"])]).at("defaultActions.*"),
        demand(Excludes("redirectConfig")).when(&[IsNot("type", &["redirect"])]).at("defaultActions.*"),
        demand(Needs("fixedResponseConfig")).when(&[Is("type", &["fixed-response"])]).at("defaultActions.*"),
        demand(Excludes("fixedResponseConfig")).when(&[IsNot("type", &["fixed-response"])]).at("defaultActions.*"),
        demand(Items("targetGroups", Some(1), Some(5))).at("defaultActions.*.forwardConfig"),
    ];

    /// <https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateListener.html>
    fn check(_name: &str, spec: &Value) -> Vec<ValidationError> {
        const PROTOCOL: &str = Listener::PROTOCOL.name();
        const CERTIFICATE: &str = Listener::CERTIFICATE.name();
        let Some(protocol) = spec.get(PROTOCOL).and_then(Value::text) else { return vec![] };
        match (matches!(protocol, "HTTPS" | "TLS"), spec.states(CERTIFICATE)) {
            (true, Some(false)) => vec![(PROTOCOL, format!("{protocol} needs a `certificate`"))],
            (false, Some(true)) => vec![(CERTIFICATE, format!("{protocol} takes no certificate; HTTPS and TLS do"))],
            _ => vec![],
        }
    }

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let balancers = load_balancers(aws, scope).await?;
        let listed = each(balancers.iter(), |balancer| async move {
            let Some(arn) = balancer.load_balancer_arn() else { return Ok(None) };
            match may_have_listeners(scope, arn, balancer.load_balancer_name().unwrap_or_default()) {
                true => listeners_of(aws, scope, arn).await.map(Some),
                false => Ok(None),
            }
        });
        let listed = listed.await?;
        let mut found = listed.iter().flat_map(|of| of.iter()).map(live).collect::<Result<Vec<_>>>()?;
        add_tags(aws, scope, &mut found).await?;
        Ok(found)
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let Listener { load_balancer, port, protocol, ssl_policy, certificate, default_actions } = &desired.spec;
        let tags = desired.all_tags();
        let output = elbv2(aws)
            .create_listener()
            .load_balancer_arn(load_balancer.as_str())
            .port(*port)
            .protocol(protocol.as_str().into())
            .set_ssl_policy(ssl_policy.clone())
            .set_certificates(certificate.as_ref().map(certificates))
            .set_default_actions(Some(default_actions.iter().map(|action| action.sdk(None)).collect()))
            .set_tags(Some(sdk_tags(&tags)?))
            .send()
            .await?;
        let missing = || Error::incomplete("elasticloadbalancingv2.CreateListener", "listeners");
        let listener = output.listeners.unwrap_or_default().pop().ok_or_else(missing)?;
        Ok(Live { name: name_of(&tags), ..live(&listener)? }.tags(tags).into())
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Listener { load_balancer: _, port, protocol, ssl_policy, certificate, default_actions } = &desired.spec;
        let modify = elbv2(aws).modify_listener().listener_arn(&live.id).port(*port).protocol(protocol.as_str().into());
        // AWS refuses a TLS setting for a protocol without TLS, and a merged spec may still have one.
        let tls = matches!(protocol.as_str(), "HTTPS" | "TLS");
        let current = &live.spec.default_actions;
        let actions = default_actions.iter().enumerate().map(|(i, action)| action.sdk(current.get(i))).collect();
        modify
            .set_ssl_policy(ssl_policy.clone().filter(|_| tls))
            .set_certificates(certificate.as_ref().filter(|_| tls).map(certificates))
            .set_default_actions(Some(actions))
            .send()
            .await?;
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        elbv2(aws).delete_listener().listener_arn(&live.id).send().await?;
        Ok(())
    }
}

/// Returns the listeners of a load balancer, requested once per refresh: Listener observes them, and ListenerRule finds
/// its parents among them.
pub(crate) async fn listeners_of(aws: &Aws, scope: &Scope, balancer: &str) -> Result<Arc<Vec<sdk::Listener>>> {
    aws.once(scope, &format!("elbv2.listeners {balancer}"), || async {
        let pages = elbv2(aws).describe_listeners().load_balancer_arn(balancer).into_paginator().items().send();
        Ok(all(pages).await.or_absent()?.unwrap_or_default())
    })
    .await
}

/// True when this load balancer may have a listener that the scope wants: the document's listeners refer to the load
/// balancer, or one of its listeners is requested by id, or a lookup may match one.
fn may_have_listeners(scope: &Scope, arn: &str, name: &str) -> bool {
    let listeners = arn.replace(":loadbalancer/", ":listener/") + "/";
    let listed = Listed::default().id_prefix(&listeners).name_unknown().field(Listener::LOAD_BALANCER, arn);
    scope.wants(&listed.child_of(LoadBalancer::KIND, name).child_of(LoadBalancer::KIND, arn)).any()
}

fn certificates(certificate: &Ref<Certificate, Arn>) -> Vec<sdk::Certificate> {
    vec![sdk::Certificate::builder().certificate_arn(certificate.as_str()).build()]
}

/// Reads a listener from a list response, which has no tags.
fn live(listener: &sdk::Listener) -> Result<Live<Listener>> {
    let missing = |what| Error::incomplete("elasticloadbalancingv2.DescribeListeners", what);
    let arn = listener.listener_arn.clone().ok_or_else(|| missing("listenerArn"))?;
    let load_balancer = listener.load_balancer_arn.clone().ok_or_else(|| missing("loadBalancerArn"))?;
    let spec = Listener {
        load_balancer: Ref::new(load_balancer),
        port: listener.port.unwrap_or_default(),
        protocol: text(&listener.protocol).unwrap_or_default(),
        ssl_policy: listener.ssl_policy.clone(),
        certificate: listener.certificates().first().and_then(|c| c.certificate_arn.clone()).map(Ref::new),
        default_actions: listener.default_actions().iter().map(RuleAction::from_response).collect(),
    };
    Ok(Live::new(arn.clone(), "", spec, ListenerStatus { arn }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_listener_identifies_its_load_balancer() {
        let arn = "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/web/0a";
        let mut scope = Scope::default();
        assert!(!may_have_listeners(&scope, arn, "web"));
        scope.ids.insert("arn:aws:elasticloadbalancing:r:1:listener/app/web/0a/1b".into());
        assert!(may_have_listeners(&scope, arn, "web"));
        assert!(!may_have_listeners(&scope, "arn:aws:elasticloadbalancing:r:1:loadbalancer/app/web/0", "web"));
    }

    #[test]
    fn a_live_listener_has_its_certificate() -> Result<()> {
        let listener =
            sdk::Listener::builder().listener_arn("l").load_balancer_arn("b").port(443).protocol("HTTPS".into());
        let live = live(&listener.certificates(sdk::Certificate::builder().certificate_arn("c").build()).build())?;
        assert_eq!(live.spec.certificate.as_ref().map(Ref::as_str), Some("c"));
        assert_eq!((live.spec.port, live.spec.protocol.as_str()), (443, "HTTPS"));
        Ok(())
    }

    #[test]
    fn a_certificate_is_required_for_tls_and_refused_otherwise() {
        let fields = |spec: serde_json::Value| -> Vec<_> {
            Listener::check("", &spec.into()).into_iter().map(|(field, _)| field).collect()
        };
        assert_eq!(fields(serde_json::json!({ "protocol": "HTTPS" })), ["protocol"]);
        assert_eq!(fields(serde_json::json!({ "protocol": "HTTP", "certificate": "arn" })), ["certificate"]);
        assert!(fields(serde_json::json!({ "protocol": "TLS", "certificate": "arn" })).is_empty());
        assert!(fields(serde_json::json!({ "protocol": "HTTP", "certificate": null })).is_empty());
    }
}
