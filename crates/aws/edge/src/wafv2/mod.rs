//! AWS WAF: IP sets, and web ACLs as WAF's own JSON, which preserves settings that this crate does not know.

pub(crate) mod ip_set;
mod raw_json;
mod statement;
pub(crate) mod web_acl;

use aws_sdk_wafv2::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_wafv2::types::Tag;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::tagging::Tags;
use holdfast_base::{sdk_tags, tag_calls};
use serde_json::{Value as Json, json};

holdfast_base::client!(wafv2: aws_sdk_wafv2);

sdk_tags!(required Tag);
tag_calls!(WafTags: wafv2, tag_resource.resource_arn, untag_resource.resource_arn);

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

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let output = wafv2(aws).list_tags_for_resource().resource_arn(arn).limit(100).send().await.or_absent()?;
    let tags =
        |output: ListTagsForResourceOutput| output.tag_info_for_resource.map(|info| from_sdk_tags(info.tag_list()));
    Ok(output.map(|output| tags(output).unwrap_or_default()))
}
