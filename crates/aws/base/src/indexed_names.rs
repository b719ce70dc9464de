//! The names of owned resources in the tag index. They show resources whose names do not follow from the document, and
//! which a list response without tags cannot tell from foreign ones.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use holdfast_core::graph::can_refer;
use holdfast_core::observed::tag;
use holdfast_core::schema::Schema;
use holdfast_engine::cloud::{KnownNames, Scope};

use crate::client::Aws;
use crate::error::Result;
use crate::tagging::{Tags, index, of_no_region};

/// Returns the names that owned resources of this kind, and of the kinds of its parents, may have according to the
/// index.
///
/// The index is read if the observation reads it anyway: the document has resources of the kind, whose tags are not listed
/// and come from the index. A full scan, which searches for every orphan, reads the index in each region. The refresh
/// makes the call once.
pub(crate) async fn of(schema: &Schema, tags_are_listed: bool, aws: &Aws, scope: &Scope) -> Result<KnownNames> {
    let is_read_anyway =
        schema.ownership.takes_tags() && !schema.naming.tag && !tags_are_listed && !scope.names.is_empty();
    if !scope.from_index || !is_read_anyway && !scope.full_scan {
        return Ok(KnownNames::default());
    }
    let index = match schema.global {
        true => index(&*of_no_region(aws)?, scope).await?,
        false => index(aws, scope).await?,
    };
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (arn, tags) in index.iter() {
        let Some(kind) = kind_of(tags).filter(|_| scope.is_owned(tags)) else { continue };
        if kind == schema.kind || can_refer(schema.record, kind) {
            known.entry(kind.to_owned()).or_default().extend(names_in(arn));
        }
    }
    Ok(Arc::new(known))
}

/// Returns the scope with further known names.
pub(crate) fn add(scope: &Scope, names: KnownNames) -> Cow<'_, Scope> {
    if names.is_empty() {
        return Cow::Borrowed(scope);
    }
    let mut all = (*scope.known_names).clone();
    for (kind, names) in names.iter() {
        all.entry(kind.clone()).or_default().extend(names.iter().cloned());
    }
    Cow::Owned(Scope { known_names: Arc::new(all), ..scope.clone() })
}

/// Returns the kind in the address of the owner tags.
fn kind_of(tags: &Tags) -> Option<&str> {
    Some(tags.get(tag::ADDRESS)?.split_once('/')?.0)
}

/// Returns the names that the resource of an ARN may have. Each service has the name in another place: after the
/// resource type, with or without a slash, before a generated id, or before a revision.
fn names_in(arn: &str) -> BTreeSet<String> {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let rest = resource.split_once(['/', ':']).map_or(resource, |(_, rest)| rest);
    let mut from_the_end = rest.rsplit('/');
    let (last, before) = (from_the_end.next().unwrap_or_default(), from_the_end.next().unwrap_or_default());
    let family = last.rsplit_once(':').map_or(last, |(family, _)| family);
    let path = format!("/{rest}");
    [arn, resource, rest, &path, last, before, family]
        .into_iter()
        .filter(|n| !n.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_contains_the_name() {
        let cases = [
            ("arn:aws:sns:eu-west-1:1:alerts", "alerts"),
            ("arn:aws:sqs:eu-west-1:1:jobs.fifo", "jobs.fifo"),
            ("arn:aws:s3:::assets", "assets"),
            ("arn:aws:logs:eu-west-1:1:log-group:/aws/rds/main", "/aws/rds/main"),
            ("arn:aws:ssm:eu-west-1:1:parameter/shop/key", "/shop/key"),
            ("arn:aws:ssm:eu-west-1:1:parameter/key", "key"),
            ("arn:aws:ecr:eu-west-1:1:repository/team/web", "team/web"),
            ("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/web/50dc6c495c0c9188", "web"),
            ("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/web/50dc6c495c0c9188", "web"),
            ("arn:aws:wafv2:eu-west-1:1:regional/webacl/web/0123-4567", "web"),
            ("arn:aws:events:eu-west-1:1:rule/orders/nightly", "nightly"),
            ("arn:aws:cloudwatch:eu-west-1:1:alarm:web: too slow", "web: too slow"),
            ("arn:aws:iam::1:policy/team/read", "read"),
            ("arn:aws:rds:eu-west-1:1:pg:main", "main"),
            ("arn:aws:ecs:eu-west-1:1:task-definition/web:7", "web"),
            ("arn:aws:ecs:eu-west-1:1:service/main/web", "web"),
            ("arn:aws:route53:::hostedzone/Z0123", "Z0123"),
        ];
        for (arn, name) in cases {
            assert!(names_in(arn).contains(name), "{arn}: {:?}", names_in(arn));
        }
    }
}
