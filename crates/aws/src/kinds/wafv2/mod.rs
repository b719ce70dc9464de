//! WAF: what its kinds share.

pub(crate) mod ip_set;
pub(crate) mod web_acl;
