//! The location of a store in a bucket.

use std::str::FromStr;

/// The location of a store in a bucket: `s3://BUCKET/PREFIX?region=REGION&kmsKeyId=KEY`. The prefix and the parameters
/// may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    /// The bucket.
    pub bucket: String,
    /// The prefix of all keys: empty, or with a slash at its end.
    pub prefix: String,
    /// The region of the bucket, if it is not the region of the connection.
    pub region: Option<String>,
    /// The KMS key that encrypts the objects. S3's own key by default.
    pub kms_key_id: Option<String>,
}

impl FromStr for S3Location {
    type Err = String;

    fn from_str(text: &str) -> Result<S3Location, String> {
        let error = |what: &str| format!("`{text}` is not a store: {what}; write `s3://BUCKET/PREFIX`");
        let path = text.strip_prefix("s3://").ok_or_else(|| error("it does not begin with `s3://`"))?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(error("it names no bucket"));
        }
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let mut location = S3Location { bucket: bucket.into(), prefix, region: None, kms_key_id: None };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("region", region)) => location.region = Some(region.into()),
                Some(("kmsKeyId", key)) => location.kms_key_id = Some(key.into()),
                _ => return Err(error(&format!("its parameters are `region` and `kmsKeyId`, not `{parameter}`"))),
            }
        }
        Ok(location)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_has_a_bucket_a_prefix_and_parameters() {
        let location = |bucket: &str, prefix: &str| S3Location {
            bucket: bucket.into(),
            prefix: prefix.into(),
            region: None,
            kms_key_id: None,
        };
        assert_eq!("s3://state".parse(), Ok(location("state", "")));
        assert_eq!("s3://state/".parse(), Ok(location("state", "")));
        assert_eq!("s3://state/holdfast/a/".parse(), Ok(location("state", "holdfast/a/")));
        let expected = S3Location {
            region: Some("eu-west-1".into()),
            kms_key_id: Some("alias/state".into()),
            ..location("state", "a/")
        };
        assert_eq!("s3://state/a?region=eu-west-1&kmsKeyId=alias/state".parse(), Ok(expected));
        for wrong in ["state", "s3://", "s3:///a", "s3://state/a?acl=public"] {
            let error = wrong.parse::<S3Location>().unwrap_err();
            assert!(error.contains(wrong) && error.contains("write `s3://BUCKET/PREFIX`"), "{error}");
        }
    }
}
