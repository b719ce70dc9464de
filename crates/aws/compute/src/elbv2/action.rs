//! What a listener does with a request, in AWS's words and with its two spellings of `forward` made one.

use std::collections::BTreeSet;

use aws_sdk_elasticloadbalancingv2::types as sdk;
use holdfast_core::Spec;
use holdfast_core::types::Ref;
use serde::{Deserialize, Serialize};

use super::target_group::TargetGroup;

/// One action. Which of the other fields it needs follows from its type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Action {
    /// `forward`, `redirect` or `fixed-response`.
    r#type: String,
    /// For `forward` to one group; to several, use `forwardConfig`. AWS answers a single group both here and
    /// there, and either spelling is compared with that.
    target_group: Option<Ref<TargetGroup>>,
    /// For `forward` to several groups, or with stickiness between them.
    forward_config: Option<ForwardConfig>,
    /// For `redirect`.
    redirect_config: Option<RedirectConfig>,
    /// For `fixed-response`.
    fixed_response_config: Option<FixedResponseConfig>,
}

/// How requests are shared out among groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForwardConfig {
    /// The groups, each with its weight.
    target_groups: BTreeSet<WeightedTargetGroup>,
    /// Whether a client stays with its group.
    target_group_stickiness_config: Option<TargetGroupStickiness>,
}

/// A group and its share.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WeightedTargetGroup {
    /// The group.
    target_group: Ref<TargetGroup>,
    /// Its share of the sum of all weights, 0 to 999.
    #[serde(default = "one")]
    weight: i32,
}

/// Whether a client stays with its group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroupStickiness {
    /// Whether it does.
    enabled: bool,
    /// For how many seconds, 1 to 604800; needed when it does.
    duration_seconds: Option<i32>,
}

/// Where a client is sent. What is not said keeps the request's own: `#{protocol}`, `#{host}` and so on,
/// which can also be parts of a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RedirectConfig {
    /// `HTTP_301` (for good) or `HTTP_302`.
    status_code: String,
    /// `HTTP` or `HTTPS`.
    protocol: Option<String>,
    /// The port, as a string.
    port: Option<String>,
    /// The host name.
    host: Option<String>,
    /// The path, with its leading slash.
    path: Option<String>,
    /// The query, without a question mark.
    query: Option<String>,
}

/// What is answered without asking a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FixedResponseConfig {
    /// A 2xx, 4xx or 5xx code, as a string.
    status_code: String,
    /// `text/plain`, `text/css`, `text/html`, `application/javascript` or `application/json`.
    content_type: Option<String>,
    /// The text, at most 1024 characters.
    message_body: Option<String>,
}

fn one() -> i32 {
    1
}

impl Action {
    /// The action as AWS takes it. `live` is what is there in its place, if anything: the desired one is
    /// merged with it, so that of the two spellings of `forward` the one that moved is what was meant.
    pub(crate) fn sdk(&self, live: Option<&Action>) -> sdk::Action {
        let Action { r#type, target_group, forward_config, redirect_config, fixed_response_config } = self;
        let action = sdk::Action::builder().r#type(r#type.as_str().into());
        match r#type.as_str() {
            "redirect" => action.set_redirect_config(redirect_config.as_ref().map(redirect)).build(),
            "fixed-response" => action.set_fixed_response_config(fixed_response_config.as_ref().map(fixed)).build(),
            _ => {
                let moved = live.is_some_and(|live| live.target_group != *target_group);
                match (target_group, forward_config) {
                    (Some(group), config) if moved || config.is_none() => {
                        action.target_group_arn(group.as_str()).build()
                    }
                    (_, config) => action.set_forward_config(config.as_ref().map(forward)).build(),
                }
            }
        }
    }

    /// The action as AWS tells it.
    pub(crate) fn live(action: &sdk::Action) -> Action {
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
        let stickiness = stickiness.map(|s| TargetGroupStickiness {
            enabled: s.enabled.unwrap_or(false),
            duration_seconds: s.duration_seconds,
        });
        let forward_config = ForwardConfig { target_groups: groups, target_group_stickiness_config: stickiness };
        Action {
            r#type: action.r#type.as_ref().map(|t| t.as_str().to_owned()).unwrap_or_default(),
            target_group: only,
            forward_config: Some(forward_config).filter(|config| !config.target_groups.is_empty()),
            redirect_config: action.redirect_config.as_ref().map(|r| RedirectConfig {
                status_code: r.status_code.as_ref().map(|c| c.as_str().to_owned()).unwrap_or_default(),
                protocol: r.protocol.clone(),
                port: r.port.clone(),
                host: r.host.clone(),
                path: r.path.clone(),
                query: r.query.clone(),
            }),
            fixed_response_config: action.fixed_response_config.as_ref().map(|r| FixedResponseConfig {
                status_code: r.status_code.clone().unwrap_or_default(),
                content_type: r.content_type.clone(),
                message_body: r.message_body.clone(),
            }),
        }
    }
}

fn forward(config: &ForwardConfig) -> sdk::ForwardActionConfig {
    let ForwardConfig { target_groups, target_group_stickiness_config } = config;
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

fn redirect(config: &RedirectConfig) -> sdk::RedirectActionConfig {
    let RedirectConfig { status_code, protocol, port, host, path, query } = config;
    sdk::RedirectActionConfig::builder()
        .status_code(status_code.as_str().into())
        .set_protocol(protocol.clone())
        .set_port(port.clone())
        .set_host(host.clone())
        .set_path(path.clone())
        .set_query(query.clone())
        .build()
}

fn fixed(config: &FixedResponseConfig) -> sdk::FixedResponseActionConfig {
    let FixedResponseConfig { status_code, content_type, message_body } = config;
    sdk::FixedResponseActionConfig::builder()
        .status_code(status_code)
        .set_content_type(content_type.clone())
        .set_message_body(message_body.clone())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(arn: &str) -> Action {
        Action::live(&sdk::Action::builder().r#type("forward".into()).target_group_arn(arn).build())
    }

    #[test]
    fn both_spellings_of_one_group_are_told() {
        let told = to("a").sdk(None);
        assert_eq!(told.target_group_arn, None, "AWS wants one of the two");
        assert_eq!(Action::live(&told), to("a"));
    }

    #[test]
    fn the_spelling_that_moved_wins() {
        let live = to("a");
        let moved = Action { target_group: Some(Ref::new("b")), ..live.clone() };
        let sent = moved.sdk(Some(&live));
        assert_eq!((sent.target_group_arn.as_deref(), sent.forward_config), (Some("b"), None));
        let shared = Action { forward_config: to("c").forward_config, ..live.clone() };
        let sent = shared.sdk(Some(&live));
        assert_eq!((sent.target_group_arn.as_deref(), sent.forward_config.is_some()), (None, true));
    }
}
