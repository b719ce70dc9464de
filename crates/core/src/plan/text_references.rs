//! References inside texts: the ARNs, ids and endpoints of resources to delete, in the policies, environment variables
//! and other texts of live resources.
//!
//! The identities of the resources to delete are indexed, and each text is read once, so the cost grows with the texts
//! and not with the square of the resources.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::ptr;

use crate::observed::Observed;
use crate::value::Value;

/// The attributes with the host names that AWS assigns.
const HOSTS: &[&str] = &[
    "endpoint",
    "primaryEndpoint",
    "readerEndpoint",
    "configurationEndpoint",
    "dnsName",
    "domainName",
    "regionalDomainName",
];

/// The attributes with other identities that AWS assigns: of a database in IAM policies, of its secret, and of a
/// repository in the image of a container.
const IDENTITIES: &[&str] = &["dbiResourceId", "masterUserSecretArn", "repositoryUri"];

/// The least length of an identity that counts inside a text. The shortest ids of AWS have more characters: `vpc-` and
/// eight digits.
const LEAST_LENGTH: usize = 8;

/// Returns for each resource to delete the live resources whose texts name it, as indexes of `users`.
///
/// An ARN counts in every text. An id counts if AWS generates it, so that it is no ordinary word. A physical name does
/// not count: the field that contains it need not mean this resource.
pub(super) fn text_users(deletions: &[&Observed], users: &[&Observed]) -> Vec<BTreeSet<usize>> {
    let mut named: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, one) in deletions.iter().enumerate() {
        for identity in identities(one) {
            named.entry(identity).or_default().push(at);
        }
    }
    let mut found = vec![BTreeSet::new(); deletions.len()];
    if named.is_empty() {
        return found;
    }
    for (user, observed) in users.iter().enumerate() {
        observed.spec.walk(&mut |value| {
            let Some(text) = value.text().filter(|text| text.len() >= LEAST_LENGTH) else { return };
            each_candidate(text, &mut |candidate| {
                for at in named.get(candidate).into_iter().flatten() {
                    if !ptr::eq(deletions[*at], *observed) {
                        found[*at].insert(user);
                    }
                }
            });
        });
    }
    found
}

/// Returns the identities by which a text can name a resource.
fn identities(observed: &Observed) -> BTreeSet<String> {
    let attribute = |name: &str| observed.status.get(name).and_then(Value::text);
    let arns = [Some(observed.id.as_str()), attribute("arn")].into_iter().flatten().filter(|id| id.starts_with("arn:"));
    // CloudWatch Logs ends the ARN of a log group with `:*` in some responses
    // (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogGroup.html).
    let arns = arns.map(|arn| arn.trim_end_matches(":*"));
    let is_generated = observed.id != observed.name && observed.id.contains(|c: char| c.is_ascii_digit());
    let id = is_generated.then_some(observed.id.as_str());
    let assigned = IDENTITIES.iter().filter_map(|name| attribute(name));
    let hosts = HOSTS.iter().filter_map(|name| attribute(name)).map(host);
    let all = arns.chain(id).chain(assigned).map(Cow::Borrowed).chain(hosts);
    all.filter(|identity| identity.len() >= LEAST_LENGTH).map(Cow::into_owned).collect()
}

/// Calls `visit` with each part of a text that can be an identity.
fn each_candidate(text: &str, visit: &mut impl FnMut(&str)) {
    let ends = |c: char| c.is_whitespace() || "\"'`,;|()<>[]{}=@&?".contains(c);
    for chunk in text.split(ends).filter(|chunk| chunk.len() >= LEAST_LENGTH) {
        if let Some(at) = chunk.find("arn:") {
            each_arn(chunk[at..].trim_end_matches('.'), visit);
        }
        if chunk.contains('/') {
            // A URL, or an image with its tag.
            let url = chunk.trim_end_matches(['/', '.']);
            visit(url);
            if let Some((image, _)) = url.rsplit_once(':') {
                visit(image);
            }
        }
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let words = chunk.split(|c| !is_word(c)).filter(|word| word.len() >= LEAST_LENGTH);
        words.filter(|word| word.contains(|c: char| c.is_ascii_digit())).for_each(&mut *visit);
        let hosts = chunk.split(|c| !is_word(c) && c != '.').filter(|host| host.matches('.').count() >= 2);
        hosts.for_each(|name| visit(&host(name)));
    }
}

/// Calls `visit` with an ARN, and with the ARNs of the resources that contain its resource: a topic's subscription, a
/// log group's streams, and an object of a bucket name theirs.
fn each_arn(arn: &str, visit: &mut impl FnMut(&str)) {
    visit(arn);
    // The resource is the sixth part: `arn:partition:service:region:account:resource`.
    let Some((resource, _)) = arn.match_indices(':').nth(4) else { return };
    let is_bucket = arn.split(':').nth(2) == Some("s3");
    for (end, c) in arn[resource + 1..].char_indices() {
        if c == ':' || is_bucket && c == '/' {
            visit(&arn[..resource + 1 + end]);
        }
    }
}

/// Returns a host name in lower case, without the final dot and without the prefix that Route 53 adds for dual-stack
/// load balancers (<https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-to-elb-load-balancer.html>).
fn host(name: &str) -> Cow<'_, str> {
    let name = name.trim_end_matches('.');
    let name = name.strip_prefix("dualstack.").unwrap_or(name);
    match name.contains(|c: char| c.is_ascii_uppercase()) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks which of these identities a text names.
    fn check(text: &str, expect: &[&str]) {
        let all = [
            "arn:aws:sns:us-east-1:123456789012:ops",
            "arn:aws:s3:::assets",
            "arn:aws:iam::123456789012:role/web",
            "arn:aws:logs:us-east-1:123456789012:log-group:/shop/web",
            "vpc-0a1b2c3d",
            "https://sqs.us-east-1.amazonaws.com/123456789012/work",
            "db.abc123.us-east-1.rds.amazonaws.com",
            "web-1.us-east-1.elb.amazonaws.com",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web",
        ];
        let mut found: BTreeSet<&str> = BTreeSet::new();
        each_candidate(text, &mut |candidate| {
            found.extend(all.iter().copied().find(|identity| *identity == candidate))
        });
        assert_eq!(found.into_iter().collect::<Vec<_>>(), expect, "{text}");
    }

    #[test]
    fn a_text_names_arns_ids_and_endpoints_and_no_longer_ones() {
        check("arn:aws:sns:us-east-1:123456789012:ops", &["arn:aws:sns:us-east-1:123456789012:ops"]);
        check("arn:aws:sns:us-east-1:123456789012:ops-2", &[]);
        check("arn:aws:sns:us-east-1:123456789012:ops.fifo", &[]);
        check("send it to arn:aws:sns:us-east-1:123456789012:ops.", &["arn:aws:sns:us-east-1:123456789012:ops"]);
        check(
            "arn:aws:sns:us-east-1:123456789012:ops:0f0e0d0c-0000-0000-0000-000000000000",
            &["arn:aws:sns:us-east-1:123456789012:ops"],
        );
        check("[\"arn:aws:s3:::assets/*\"]", &["arn:aws:s3:::assets"]);
        check("arn:aws:s3:::assets-copy/*", &[]);
        check("arn:aws:iam::123456789012:role/web/admin", &[]);
        check(
            "arn:aws:logs:us-east-1:123456789012:log-group:/shop/web:*",
            &["arn:aws:logs:us-east-1:123456789012:log-group:/shop/web"],
        );
        check("vpc-0a1b2c3d,vpc-0a1b2c3d4", &["vpc-0a1b2c3d"]);
        check(
            "QUEUE=https://sqs.us-east-1.amazonaws.com/123456789012/work",
            &["https://sqs.us-east-1.amazonaws.com/123456789012/work"],
        );
        check(
            "postgres://app@db.abc123.us-east-1.rds.amazonaws.com:5432/app",
            &["db.abc123.us-east-1.rds.amazonaws.com"],
        );
        check("dualstack.Web-1.us-east-1.elb.amazonaws.com.", &["web-1.us-east-1.elb.amazonaws.com"]);
        check(
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web:1.2",
            &["123456789012.dkr.ecr.us-east-1.amazonaws.com/shop/web"],
        );
        check("web", &[]);
    }
}
