//! WAF: web ACLs in WAF's own JSON, so that no setting is lost that our types do not know.

pub(crate) mod ip_set;
mod statement;
pub(crate) mod web_acl;
