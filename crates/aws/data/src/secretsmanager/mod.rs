//! Secrets Manager: the tag calls that its modules share.

pub(crate) mod generate;
pub(crate) mod secret;

use crate::consumed_secret::secrets;

holdfast_base::sdk_tags!(optional aws_sdk_secretsmanager::types::Tag);
holdfast_base::tag_calls!(SecretTags: secrets, tag_resource.secret_id, untag_resource.secret_id);
