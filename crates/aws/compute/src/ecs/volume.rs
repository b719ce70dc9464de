//! What the containers of a task can mount: a part of a TaskDefinition's spec.

use aws_sdk_ecs::types as sdk;
use holdfast_base::error::Result;
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

/// What containers can mount: storage that lives with the task, unless a file system or a path is named.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Volume {
    /// Its name, for `mountPoints`.
    name: String,
    /// A file system of EFS.
    efs_volume_configuration: Option<EfsVolume>,
    /// A path of the host. Not on Fargate.
    host: Option<HostVolume>,
}

/// A file system of EFS.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EfsVolume {
    /// The file system's id.
    file_system_id: String,
    /// The directory to mount: `/` unless set. With an access point it has to be left out or be `/`.
    root_directory: Option<String>,
    /// `ENABLED` or `DISABLED` (AWS's default). IAM authorization needs it.
    transit_encryption: Option<String>,
    /// Access point and authorization.
    authorization_config: Option<EfsAuthorization>,
}

/// Access point and authorization.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EfsAuthorization {
    /// The access point's id.
    access_point_id: Option<String>,
    /// `ENABLED` when the task role decides what can be done, or `DISABLED` (AWS's default).
    iam: Option<String>,
}

/// A path of the host.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostVolume {
    /// The path.
    source_path: Option<String>,
}

impl Volume {
    /// As AWS's calls take it.
    pub(super) fn sdk(&self) -> Result<sdk::Volume> {
        let Volume { name, efs_volume_configuration, host } = self;
        let efs = efs_volume_configuration.as_ref().map(|efs| {
            let authorization = efs.authorization_config.as_ref().map(|EfsAuthorization { access_point_id, iam }| {
                sdk::EfsAuthorizationConfig::builder()
                    .set_access_point_id(access_point_id.clone())
                    .set_iam(iam.as_deref().map(Into::into))
                    .build()
            });
            sdk::EfsVolumeConfiguration::builder()
                .file_system_id(&efs.file_system_id)
                .set_root_directory(efs.root_directory.clone())
                .set_transit_encryption(efs.transit_encryption.as_deref().map(Into::into))
                .set_authorization_config(authorization)
                .build()
        });
        let host = host
            .as_ref()
            .map(|host| sdk::HostVolumeProperties::builder().set_source_path(host.source_path.clone()).build());
        let volume = sdk::Volume::builder().name(name).set_host(host);
        Ok(volume.set_efs_volume_configuration(efs.transpose()?).build())
    }

    /// As AWS answered it.
    pub(super) fn of(volume: &sdk::Volume) -> Volume {
        let authorization = |a: &sdk::EfsAuthorizationConfig| EfsAuthorization {
            access_point_id: a.access_point_id.clone(),
            iam: a.iam.as_ref().map(|iam| iam.as_str().to_owned()),
        };
        Volume {
            name: volume.name.clone().unwrap_or_default(),
            efs_volume_configuration: volume.efs_volume_configuration().map(|efs| EfsVolume {
                file_system_id: efs.file_system_id.clone(),
                root_directory: efs.root_directory.clone(),
                transit_encryption: efs.transit_encryption.as_ref().map(|t| t.as_str().to_owned()),
                authorization_config: efs.authorization_config().map(authorization),
            }),
            host: volume.host().map(|host| HostVolume { source_path: host.source_path.clone() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_survives_the_round_trip() {
        for json in [
            serde_json::json!({"name": "scratch"}),
            serde_json::json!({"name": "media", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "rootDirectory": "/",
                "transitEncryption": "ENABLED", "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"}}}),
        ] {
            let volume: Volume = serde_json::from_value(json.clone()).unwrap();
            let back = Volume::of(&volume.sdk().unwrap());
            assert_eq!(holdfast_core::value::of(&back).without_nulls().json(), json);
        }
    }
}
