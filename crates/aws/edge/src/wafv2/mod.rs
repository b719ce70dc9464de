//! WAF: web ACLs in WAF's own JSON, so that no setting is lost that our types do not know.

pub(crate) mod ip_set;
mod statement;
pub(crate) mod web_acl;
mod web_acl_wire;
mod wire;

use aws_sdk_wafv2::types::Tag;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::Retag;
use holdfast_base::tagging::Tags;
use holdfast_engine::cloud::Scope;
use serde_json::{Value as Json, json};

holdfast_base::client!(wafv2: aws_sdk_wafv2);

/// What WAF's calls name a thing by. All three stand in its ARN, as in
/// `arn:aws:wafv2:us-east-1:1:regional/webacl/<name>/<id>`.
struct Identity<'a> {
    scope: &'static str,
    name: &'a str,
    id: &'a str,
}

impl<'a> Identity<'a> {
    fn of(arn: &'a str) -> Result<Identity<'a>> {
        let path: Vec<&str> = arn.rsplit(':').next().unwrap_or_default().split('/').collect();
        match path[..] {
            ["regional", _, name, id] => Ok(Identity { scope: "REGIONAL", name, id }),
            ["global", _, name, id] => Ok(Identity { scope: "CLOUDFRONT", name, id }),
            _ => Err(Error::terminal("wafv2", format!("`{arn}` is no ARN of WAF"))),
        }
    }

    fn json(&self) -> Json {
        json!({ "Name": self.name, "Scope": self.scope, "Id": self.id })
    }
}

/// The scopes of a region: what is for CloudFront lives in us-east-1
/// (<https://docs.aws.amazon.com/waf/latest/APIReference/API_ListWebACLs.html>).
fn scopes(region: &str) -> &'static [&'static str] {
    if region == "us-east-1" { &["REGIONAL", "CLOUDFRONT"] } else { &["REGIONAL"] }
}

/// True when something of this name and ARN is asked for.
fn is_asked_for(scope: &Scope, name: &str, arn: &str) -> bool {
    let by_fields = scope.lookups.iter().any(|lookup| !lookup.is_empty());
    scope.is_candidate(name) || scope.ids.contains(arn) || scope.ids.contains(name) || by_fields
}

async fn tags_of(aws: &Aws, arn: &str) -> Result<Option<Tags>> {
    let answer = wafv2(aws).list_tags_for_resource().resource_arn(arn).limit(100).send().await.or_absent()?;
    let tags = answer.map(|answer| answer.tag_info_for_resource.and_then(|info| info.tag_list).unwrap_or_default());
    Ok(tags.map(|tags| tags.into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

fn sdk_tags(tags: &Tags) -> Result<Vec<Tag>> {
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    Ok(tags.iter().map(tag).collect::<std::result::Result<Vec<_>, _>>()?)
}

/// Sets and removes tags of anything in WAF.
async fn tag(aws: &Aws, arn: &str, Retag { set, remove }: &Retag) -> Result<()> {
    if !set.is_empty() {
        wafv2(aws).tag_resource().resource_arn(arn).set_tags(Some(sdk_tags(set)?)).send().await?;
    }
    if !remove.is_empty() {
        let keys = remove.iter().cloned().collect();
        wafv2(aws).untag_resource().resource_arn(arn).set_tag_keys(Some(keys)).send().await?;
    }
    Ok(())
}
