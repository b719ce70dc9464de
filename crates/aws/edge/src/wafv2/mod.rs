//! AWS WAF: IP sets, and web ACLs as WAF's own JSON, which preserves settings that this crate does not know.

pub(crate) mod ip_set;
mod statement;
pub(crate) mod web_acl;
mod web_acl_wire;
mod wire;

use aws_sdk_wafv2::types::Tag;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::TagChanges;
use holdfast_base::tagging::Tags;
use holdfast_engine::cloud::Scope;
use serde_json::{Value as Json, json};

holdfast_base::client!(wafv2: aws_sdk_wafv2);

/// The scope, the name and the id that WAF's calls take. An ARN contains all three, as in
/// `arn:aws:wafv2:us-east-1:1:regional/webacl/<name>/<id>`.
struct WafArn<'a> {
    scope: &'static str,
    name: &'a str,
    id: &'a str,
}

impl<'a> WafArn<'a> {
    fn parse(arn: &'a str) -> Result<WafArn<'a>> {
        let path: Vec<&str> = arn.rsplit(':').next().unwrap_or_default().split('/').collect();
        match path[..] {
            ["regional", _, name, id] => Ok(WafArn { scope: "REGIONAL", name, id }),
            ["global", _, name, id] => Ok(WafArn { scope: "CLOUDFRONT", name, id }),
            _ => Err(Error::terminal("wafv2", format!("`{arn}` is not an ARN of a web ACL or an IP set"))),
        }
    }

    fn json(&self) -> Json {
        json!({ "Name": self.name, "Scope": self.scope, "Id": self.id })
    }
}

/// Returns the WAF scopes of a region. Resources for CloudFront exist only in us-east-1
/// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_ListWebACLs.html>).
fn scopes(region: &str) -> &'static [&'static str] {
    if region == "us-east-1" { &["REGIONAL", "CLOUDFRONT"] } else { &["REGIONAL"] }
}

/// True when the scope requests the resource with this name and ARN.
fn is_requested(scope: &Scope, name: &str, arn: &str) -> bool {
    let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
    scope.is_candidate(name) || scope.ids.contains(arn) || scope.ids.contains(name) || by_fields
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = wafv2(aws).list_tags_for_resource().resource_arn(arn).limit(100).send().await.or_absent()?;
    let tags = output.map(|output| output.tag_info_for_resource.and_then(|info| info.tag_list).unwrap_or_default());
    Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

fn sdk_tags(tags: &Tags) -> Result<Vec<Tag>> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    Ok(tags.iter().map(tag).collect::<std::result::Result<Vec<_>, _>>()?)
}

/// Sets and removes tags of a WAF resource.
async fn tag(aws: &Aws, arn: &str, TagChanges { set, remove }: &TagChanges) -> Result<()> {
    if !set.is_empty() {
        wafv2(aws).tag_resource().resource_arn(arn).set_tags(Some(sdk_tags(set)?)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        wafv2(aws).untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}
