//! The AUTH token (password) of a replication group, which changes in steps of some minutes each.
//!
//! AWS does not return which password a group has. Before each step a tag records the step, and the time at which the
//! password was last changed until then. AWS returns that time. A later time proves that the step was applied.
//!
//! The tags of the password are not [`FIELD_TAGS`](holdfast_base::kind::Kind::FIELD_TAGS), because they must be written
//! before the call: AWS refuses tags while a group changes.

use aws_sdk_elasticache::types::{self as sdk, AuthTokenUpdateStrategyType as Strategy};
use holdfast_base::client::Aws;
use holdfast_base::error::Result;
use holdfast_base::field_tags;
use holdfast_base::kind::{Desired, Live, TagChanges, Updated};
use holdfast_base::owner::change_tags;
use holdfast_base::tagging::Tags;
use holdfast_core::types::Ref;

use super::spec::ReplicationGroup;
use crate::consumed_secret::{CurrentVersion, consumed, consumed_tag, read};
use crate::elasticache::{ElastiCacheTags, elasticache};
use crate::secretsmanager::secret::Secret;

/// The field of the spec that holds the secret of the password.
const FIELD: &str = ReplicationGroup::AUTH_TOKEN.name();
/// The key of the tag that records a step, as `<step>@<time of the last change>`.
const STEP_TAG: &str = "holdfast:auth-token";
/// The secret version that is reported for a password of unknown origin.
const UNKNOWN: &str = "unknown";

/// Returns the tags that record the secret version and the JSON field of the password.
pub(super) fn record(spec: &ReplicationGroup) -> Tags {
    let secret = spec.auth_token.as_ref().map(|secret| consumed_tag(FIELD, secret));
    secret.into_iter().chain(spec.auth_token_key.clone().map(|key| (key_tag(), key))).collect()
}

/// Returns the JSON field of the password, from the tags.
pub(super) fn key(tags: &Tags) -> Option<String> {
    tags.get(&key_tag()).cloned()
}

fn key_tag() -> String {
    field_tags::key(ReplicationGroup::AUTH_TOKEN_KEY.name())
}

/// A step that was started.
#[derive(Clone, Debug, PartialEq)]
struct AuthTokenStep {
    /// True when the password was changed since the start of the step.
    applied: bool,
    /// The step: `ROTATE`, `SET`, or `ROTATE+SET` for a `ROTATE` that a `SET` follows.
    name: String,
}

/// Returns the time at which the password was last changed.
fn modified(group: &sdk::ReplicationGroup) -> String {
    group.auth_token_last_modified_date.map_or_else(|| "never".to_owned(), |date| date.as_secs_f64().to_string())
}

/// Reads the step that the tags record.
fn step(tags: &Tags, group: &sdk::ReplicationGroup) -> Option<AuthTokenStep> {
    let (name, before) = tags.get(STEP_TAG)?.split_once('@')?;
    Some(AuthTokenStep { applied: before != modified(group), name: name.to_owned() })
}

/// Returns the secret version that the group has as its password; none without a password.
///
/// The version is [`UNKNOWN`] while a step is not applied, while a `SET` has yet to follow, and for a password that
/// Holdfast did not set.
pub(super) fn secret_version(tags: &Tags, group: &sdk::ReplicationGroup) -> Option<Ref<Secret, CurrentVersion>> {
    if group.auth_token_enabled != Some(true) {
        return None;
    }
    let is_done = step(tags, group).is_none_or(|step| step.applied && step.name != "ROTATE+SET");
    consumed(tags, FIELD).filter(|_| is_done).or_else(|| Some(Ref::new(UNKNOWN)))
}

/// Starts the next step towards the desired password.
///
/// **Expected flow**
/// 1. Tags record the secret version, the step and the time of the last change.
/// 2. `ModifyReplicationGroup` sends the password with the strategy `ROTATE` or `SET`.
/// 3. Strategy `SET` takes two steps, `ROTATE+SET` and then `SET`, since a `SET` requires a preceding `ROTATE`. The
///    first step leaves the update unfinished, and the engine calls again.
/// 4. A document without a password removes the tags. The other changes of the update remove the password itself.
///
/// **Guarantees**: an interrupted step is repeated, since the recorded time shows that it was not applied.
///
/// **Assumptions**: nothing else changes the password between the tags and the call.
///
/// **Caveats**: each step takes AWS minutes, during which the group refuses other changes.
///
/// **Errors**: the error of reading the secret.
pub(super) async fn update(
    aws: &Aws,
    live: &Live<ReplicationGroup>,
    desired: &Desired<ReplicationGroup>,
) -> Result<Updated> {
    let (spec, arn) = (&desired.spec, &live.status.arn);
    let mut changes = TagChanges { set: record(spec), ..TagChanges::default() };
    if spec.auth_token_key.is_none() && live.tags.contains_key(&key_tag()) {
        changes.remove.insert(key_tag());
    }
    let Some(secret) = &spec.auth_token else {
        changes.remove.extend([STEP_TAG.to_owned(), consumed_tag(FIELD, &Ref::<Secret, _>::new("")).0]);
        change_tags::<ElastiCacheTags>(aws, arn, &changes).await?;
        return Ok(Updated::ObserveAgain);
    };
    let group: &sdk::ReplicationGroup = live.raw()?;
    let token = read(aws, secret, spec.auth_token_key.as_deref()).await?;
    let is_same =
        consumed(&live.tags, FIELD).as_ref() == Some(secret) && !desired.changed(ReplicationGroup::AUTH_TOKEN_KEY);
    let before = step(&live.tags, group).filter(|_| is_same);
    let (name, strategy) = next_step(before.as_ref(), spec.auth_token_update_strategy.as_deref());
    changes.set.insert(STEP_TAG.to_owned(), format!("{name}@{}", modified(group)));
    change_tags::<ElastiCacheTags>(aws, arn, &changes).await?;
    let modify = elasticache(aws).modify_replication_group().replication_group_id(&live.id).apply_immediately(true);
    modify.auth_token(token.expose()).auth_token_update_strategy(strategy).send().await?;
    Ok(match name {
        "ROTATE+SET" => Updated::Unfinished("`SET` follows once AWS has applied `ROTATE`"),
        _ => Updated::ObserveAgain,
    })
}

/// True when the document has the strategy `SET`, and the last step kept another password valid.
pub(super) fn ends_rotation(live: &Live<ReplicationGroup>, desired: &Desired<ReplicationGroup>) -> Result<bool> {
    let spec = &desired.spec;
    let is_set = spec.auth_token.is_some() && spec.auth_token_update_strategy.as_deref() == Some("SET");
    Ok(is_set && step(&live.tags, live.raw()?).is_some_and(|step| step.name == "ROTATE"))
}

/// Returns the step after a started one, with its strategy.
fn next_step(before: Option<&AuthTokenStep>, strategy: Option<&str>) -> (&'static str, Strategy) {
    match before {
        Some(AuthTokenStep { applied: true, name }) if name == "ROTATE+SET" => ("SET", Strategy::Set),
        Some(AuthTokenStep { applied: false, name }) if name == "SET" => ("SET", Strategy::Set),
        // The document had the strategy `ROTATE` before.
        Some(AuthTokenStep { applied: true, name }) if name == "ROTATE" && strategy == Some("SET") => {
            ("SET", Strategy::Set)
        }
        _ if strategy == Some("SET") => ("ROTATE+SET", Strategy::Rotate),
        _ => ("ROTATE", Strategy::Rotate),
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

    fn group(modified: i64) -> sdk::ReplicationGroup {
        let group = sdk::ReplicationGroup::builder().auth_token_enabled(true);
        group.auth_token_last_modified_date(DateTime::from_secs(modified)).build()
    }

    fn tags(step: &str) -> Tags {
        [consumed_tag(FIELD, &Ref::<Secret, _>::new("arn@1")), (STEP_TAG.to_owned(), step.to_owned())].into()
    }

    #[test]
    fn a_step_is_applied_when_the_password_was_changed_after_it() {
        let done = |step: &str, modified| secret_version(&tags(step), &group(modified)) == Some(Ref::new("arn@1"));
        assert!(!done("ROTATE@7", 7) && done("ROTATE@7", 8));
        assert!(!done("ROTATE+SET@7", 8), "a `SET` follows");
        assert!(!done("SET@8", 8) && done("SET@8", 9));
    }

    #[test]
    fn a_set_step_follows_a_rotate_step() {
        let at = |text: &str, modified| next_step(step(&tags(text), &group(modified)).as_ref(), Some("SET")).0;
        assert_eq!(next_step(None, Some("SET")).0, "ROTATE+SET");
        assert_eq!((at("ROTATE+SET@7", 7), at("ROTATE+SET@7", 8), at("SET@8", 8)), ("ROTATE+SET", "SET", "SET"));
        assert_eq!(next_step(None, None).0, "ROTATE");
        assert_eq!((at("ROTATE@7", 7), at("ROTATE@7", 8)), ("ROTATE+SET", "SET"));
    }
}
