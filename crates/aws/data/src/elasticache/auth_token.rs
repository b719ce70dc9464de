//! The password of a replication group: given in steps, each of which AWS takes minutes for.
//!
//! Nobody can read back which password a group has. Before each step a tag says what is about to be given, and when the
//! password was last changed until then (AWS tells that). When that time has moved on, the step was made.

use aws_sdk_elasticache::types::{self as sdk, AuthTokenUpdateStrategyType as Strategy};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Live, Retag};
use holdfast_base::remembered;
use holdfast_base::tagging::Tags;
use holdfast_core::types::Ref;

use super::replication_group::ReplicationGroup;
use super::{elasticache, sdk_tags, tag};
use crate::secretsmanager::secret::Secret;
use crate::secretsmanager::{CurrentVersion, consumed, consumed_tag, read};

pub(super) const FIELD: &str = "authToken";
const STEP: &str = "holdfast:auth-token";
/// What a group with a password is shown with that Holdfast did not give it.
const UNKNOWN: &str = "unknown";

/// A step, and when the password had last been changed before it.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    made: bool,
    /// `ROTATE`, `SET`, or `ROTATE+SET`: a `SET` follows.
    name: String,
}

fn modified(group: &sdk::ReplicationGroup) -> String {
    group.auth_token_last_modified_date.map_or_else(|| "never".to_owned(), |date| date.as_secs_f64().to_string())
}

fn step(tags: &Tags, group: &sdk::ReplicationGroup) -> Option<Step> {
    let (name, before) = tags.get(STEP)?.split_once('@')?;
    Some(Step { made: before != modified(group), name: name.to_owned() })
}

/// Which secret's version the group has as its password.
pub(super) fn of(tags: &Tags, group: &sdk::ReplicationGroup) -> Option<Ref<Secret, CurrentVersion>> {
    if group.auth_token_enabled != Some(true) {
        return None;
    }
    let is_done = step(tags, group).is_none_or(|step| step.made && step.name != "ROTATE+SET");
    consumed(tags, FIELD).filter(|_| is_done).or_else(|| Some(Ref::new(UNKNOWN)))
}

/// Makes the next step towards the password that is wanted. That there is to be none, the other changes say.
pub(super) async fn give(aws: &Aws, live: &Live<ReplicationGroup>, desired: &Desired<ReplicationGroup>) -> Result<()> {
    let Some(of) = &desired.spec.auth_token else {
        let remove = [STEP.to_owned(), consumed_tag(FIELD, &Ref::new("")).0].into();
        return tag(aws, &live.status.arn, &Retag { remove, ..Retag::default() }).await;
    };
    let group: &sdk::ReplicationGroup = live.raw()?;
    let token = read(aws, of, desired.spec.auth_token_key.as_deref()).await?;
    let is_same = consumed(&live.tags, FIELD).as_ref() == Some(of) && !desired.changed("authTokenKey");
    let before = step(&live.tags, group).filter(|_| is_same);
    let (name, strategy) = next(before.as_ref(), desired.spec.auth_token_update_strategy.as_deref());
    let mut tags = Tags::from([consumed_tag(FIELD, of), (STEP.to_owned(), format!("{name}@{}", modified(group)))]);
    let key = desired.spec.auth_token_key.clone();
    tags.extend(remembered::with(&Tags::new(), [("authTokenKey", key.clone())]));
    elasticache(aws).add_tags_to_resource().resource_name(&live.status.arn).set_tags(sdk_tags(&tags)).send().await?;
    if key.is_none() {
        tag(aws, &live.status.arn, &remembered::retag(desired, [("authTokenKey", None)])).await?;
    }
    let modify = elasticache(aws).modify_replication_group().replication_group_id(&live.id).apply_immediately(true);
    modify.auth_token(token.expose()).auth_token_update_strategy(strategy).send().await?;
    match name {
        "ROTATE+SET" => Err(Error::not_yet("elasticache.ModifyReplicationGroup", "SET comes after ROTATE is through")),
        _ => Ok(()),
    }
}

/// The step after this one.
fn next(before: Option<&Step>, wanted: Option<&str>) -> (&'static str, Strategy) {
    match before {
        Some(Step { made: true, name }) if name == "ROTATE+SET" => ("SET", Strategy::Set),
        Some(Step { made: false, name }) if name == "SET" => ("SET", Strategy::Set),
        _ if wanted == Some("SET") => ("ROTATE+SET", Strategy::Rotate),
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
        [consumed_tag(FIELD, &Ref::new("arn@1")), (STEP.to_owned(), step.to_owned())].into()
    }

    #[test]
    fn a_step_is_made_when_the_password_was_changed_after_it() {
        let done = |step: &str, modified| of(&tags(step), &group(modified)) == Some(Ref::new("arn@1"));
        assert!(!done("ROTATE@7", 7) && done("ROTATE@7", 8));
        assert!(!done("ROTATE+SET@7", 8), "the SET is to follow");
        assert!(!done("SET@8", 8) && done("SET@8", 9));
    }

    #[test]
    fn set_comes_after_rotate() {
        let at = |text: &str, modified| next(step(&tags(text), &group(modified)).as_ref(), Some("SET")).0;
        assert_eq!(next(None, Some("SET")).0, "ROTATE+SET");
        assert_eq!((at("ROTATE+SET@7", 7), at("ROTATE+SET@7", 8), at("SET@8", 8)), ("ROTATE+SET", "SET", "SET"));
        assert_eq!(next(None, None).0, "ROTATE");
    }
}
