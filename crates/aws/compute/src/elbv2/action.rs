//! The actions of listeners and listener rules. The two spellings of `forward` in the API are compared as one.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types as sdk;
use holdfast_base::sdk::text;
use holdfast_core::Spec;
use holdfast_core::types::Ref;
use serde::{Deserialize, Serialize};

use super::target_group::TargetGroup;

/// An action of a listener or a listener rule. Its type determines which of the other fields it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "type", alternatives = ["targetGroup", "forwardConfig"])]
pub(crate) struct RuleAction {
    /// The type of the action. Actions that authenticate users are not supported.
    #[spec(one_of = ["forward", "redirect", "fixed-response"])]
    r#type: String,
    /// For `forward` to one target group. For several groups, use `forwardConfig`. AWS returns a single group in both
    /// fields, and Holdfast accepts either spelling as equal to that response.
    target_group: Option<Ref<TargetGroup>>,
    /// For `forward` to several target groups, or with stickiness between them.
    forward_config: Option<ForwardActionConfig>,
    /// For `redirect`: the target of the redirection.
    redirect_config: Option<RedirectActionConfig>,
    /// For `fixed-response`: the response.
    fixed_response_config: Option<FixedResponseActionConfig>,
}

/// How requests are distributed among target groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForwardActionConfig {
    /// The target groups, each with its weight.
    target_groups: BTreeSet<WeightedTargetGroup>,
    /// Whether requests of a client stay with the same target group.
    target_group_stickiness_config: Option<TargetGroupStickinessConfig>,
}

/// A target group and its weight.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "targetGroup")]
pub(crate) struct WeightedTargetGroup {
    /// The target group.
    target_group: Ref<TargetGroup>,
    /// The group's weight. Its share of the requests is its weight divided by the sum of all weights.
    #[spec(range = 0..=999)]
    #[serde(default = "one")]
    weight: i32,
}

/// Target group stickiness: whether requests of a client stay with the same target group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroupStickinessConfig {
    /// Whether stickiness is enabled.
    #[spec(default = false)]
    enabled: bool,
    /// The duration in seconds. Required when stickiness is enabled.
    #[spec(range = 1..=604800)]
    duration_seconds: Option<i32>,
}

/// A redirection of the client. A part that is not stated keeps the request's own value. The values `#{protocol}`,
/// `#{host}` and so on stand for the request's own parts, and can be used inside a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedirectActionConfig {
    /// The status code: `HTTP_301` (permanent) or `HTTP_302` (temporary).
    #[spec(one_of = sdk::RedirectActionStatusCodeEnum)]
    status_code: String,
    /// The protocol
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_RedirectActionConfig.html>).
    #[spec(one_of = ["HTTP", "HTTPS", "#{protocol}"], default = "#{protocol}")]
    protocol: Option<String>,
    /// The port, as a string.
    #[spec(pattern = "[0-9]{1,5}|#\\{port\\}", default = "#{port}")]
    port: Option<String>,
    /// The host name.
    #[spec(length = 1..=128, default = "#{host}")]
    host: Option<String>,
    /// The path, with its leading slash.
    #[spec(length = 1..=128, default = "/#{path}")]
    path: Option<String>,
    /// The query, without a question mark.
    #[spec(length = ..=128, default = "#{query}")]
    query: Option<String>,
}

/// A response that the load balancer returns without a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FixedResponseActionConfig {
    /// The status code, as a string: 2xx, 4xx or 5xx.
    #[spec(pattern = "[245][0-9]{2}")]
    status_code: String,
    /// The content type
    /// (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_FixedResponseActionConfig.html>).
    #[spec(one_of = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"])]
    content_type: Option<String>,
    /// The body.
    #[spec(length = ..=1024)]
    message_body: Option<String>,
}

fn one() -> i32 {
    1
}

impl RuleAction {
    /// Converts the action for a request. `live` is the live action at the same position, if there is one. The desired
    /// action is merged with the live one and so has both spellings of `forward`: the spelling that differs from `live`
    /// is the one that the document changed.
    pub(crate) fn sdk(&self, live: Option<&RuleAction>) -> sdk::Action {
        let RuleAction { r#type, target_group, forward_config, redirect_config, fixed_response_config } = self;
        let action = sdk::Action::builder().r#type(r#type.as_str().into());
        match r#type.as_str() {
            "redirect" => action.set_redirect_config(redirect_config.as_ref().map(redirect)).build(),
            "fixed-response" => action.set_fixed_response_config(fixed_response_config.as_ref().map(fixed)).build(),
            _ => {
                let changed = live.is_some_and(|live| live.target_group != *target_group);
                match (target_group, forward_config) {
                    (Some(group), config) if changed || config.is_none() => {
                        action.target_group_arn(group.as_str()).build()
                    }
                    (_, config) => action.set_forward_config(config.as_ref().map(forward)).build(),
                }
            }
        }
    }

    /// Reads an action from a response. A single target group is read in both spellings of `forward`.
    pub(crate) fn from_response(action: &sdk::Action) -> RuleAction {
        let mut groups: BTreeSet<WeightedTargetGroup> = action
            .forward_config
            .iter()
            .flat_map(|config| config.target_groups())
            .filter_map(|group| {
                let target_group = Ref::new(group.target_group_arn.clone()?);
                Some(WeightedTargetGroup { target_group, weight: group.weight.unwrap_or(1) })
            })
            .collect();
        if let (true, Some(arn)) = (groups.is_empty(), action.target_group_arn.as_deref()) {
            groups.insert(WeightedTargetGroup { target_group: Ref::new(arn), weight: 1 });
        }
        let only = groups.first().filter(|_| groups.len() == 1).map(|group| group.target_group.clone());
        let stickiness = action.forward_config.as_ref().and_then(|c| c.target_group_stickiness_config.as_ref());
        let stickiness = stickiness.map(|s| TargetGroupStickinessConfig {
            enabled: s.enabled.unwrap_or(false),
            duration_seconds: s.duration_seconds,
        });
        let forward_config = ForwardActionConfig { target_groups: groups, target_group_stickiness_config: stickiness };
        RuleAction {
            r#type: text(&action.r#type).unwrap_or_default(),
            target_group: only,
            forward_config: Some(forward_config).filter(|config| !config.target_groups.is_empty()),
            redirect_config: action.redirect_config.as_ref().map(|r| RedirectActionConfig {
                status_code: text(&r.status_code).unwrap_or_default(),
                protocol: r.protocol.clone(),
                port: r.port.clone(),
                host: r.host.clone(),
                path: r.path.clone(),
                query: r.query.clone(),
            }),
            fixed_response_config: action.fixed_response_config.as_ref().map(|r| FixedResponseActionConfig {
                status_code: r.status_code.clone().unwrap_or_default(),
                content_type: r.content_type.clone(),
                message_body: r.message_body.clone(),
            }),
        }
    }
}

fn forward(config: &ForwardActionConfig) -> sdk::ForwardActionConfig {
    let ForwardActionConfig { target_groups, target_group_stickiness_config } = config;
    let groups = target_groups.iter().map(|group| {
        sdk::TargetGroupTuple::builder().target_group_arn(group.target_group.as_str()).weight(group.weight).build()
    });
    let stickiness = target_group_stickiness_config.as_ref().map(|s| {
        let stickiness = sdk::TargetGroupStickinessConfig::builder().enabled(s.enabled);
        stickiness.set_duration_seconds(s.duration_seconds).build()
    });
    sdk::ForwardActionConfig::builder()
        .set_target_groups(Some(groups.collect()))
        .set_target_group_stickiness_config(stickiness)
        .build()
}

fn redirect(config: &RedirectActionConfig) -> sdk::RedirectActionConfig {
    let RedirectActionConfig { status_code, protocol, port, host, path, query } = config;
    sdk::RedirectActionConfig::builder()
        .status_code(status_code.as_str().into())
        .set_protocol(protocol.clone())
        .set_port(port.clone())
        .set_host(host.clone())
        .set_path(path.clone())
        .set_query(query.clone())
        .build()
}

fn fixed(config: &FixedResponseActionConfig) -> sdk::FixedResponseActionConfig {
    let FixedResponseActionConfig { status_code, content_type, message_body } = config;
    sdk::FixedResponseActionConfig::builder()
        .status_code(status_code)
        .set_content_type(content_type.clone())
        .set_message_body(message_body.clone())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(arn: &str) -> RuleAction {
        RuleAction::from_response(&sdk::Action::builder().r#type("forward".into()).target_group_arn(arn).build())
    }

    #[test]
    fn a_single_target_group_is_read_in_both_spellings() {
        let request = to("a").sdk(None);
        assert_eq!(request.target_group_arn, None, "a request has only one of the two spellings");
        assert_eq!(RuleAction::from_response(&request), to("a"));
    }

    #[test]
    fn the_spelling_that_changed_is_sent() {
        let live = to("a");
        let changed = RuleAction { target_group: Some(Ref::new("b")), ..live.clone() };
        let sent = changed.sdk(Some(&live));
        assert_eq!((sent.target_group_arn.as_deref(), sent.forward_config), (Some("b"), None));
        let shared = RuleAction { forward_config: to("c").forward_config, ..live.clone() };
        let sent = shared.sdk(Some(&live));
        assert_eq!((sent.target_group_arn.as_deref(), sent.forward_config.is_some()), (None, true));
    }
}
