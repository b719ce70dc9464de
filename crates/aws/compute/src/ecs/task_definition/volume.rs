//! Volumes that the containers of a task can mount: a part of a TaskDefinition's spec.

use aws_sdk_ecs::types as sdk;
use holdfast_base::error::Result;
use holdfast_base::sdk::text;
use holdfast_core::Spec;
use serde::{Deserialize, Serialize};

/// A volume that containers can mount. Its storage lives as long as the task, unless an EFS file system or a path of
/// the host is stated.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
#[spec(key = "name", exclusive = ["efsVolumeConfiguration", "host"])]
pub(crate) struct Volume {
    /// The volume's name, which `mountPoints` refer to.
    name: String,
    /// An EFS file system.
    efs_volume_configuration: Option<EfsVolumeConfiguration>,
    /// A path of the host. Fargate does not support it.
    host: Option<HostVolumeProperties>,
}

/// An EFS file system as a volume.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EfsVolumeConfiguration {
    /// The file system's id.
    file_system_id: String,
    /// The directory to mount. With an access point, it must be left out or be `/`.
    #[spec(default = "/")]
    root_directory: Option<String>,
    /// Encryption in transit. IAM authorization requires it.
    #[spec(one_of = sdk::EfsTransitEncryption, default = "DISABLED")]
    transit_encryption: Option<String>,
    /// The access point and the authorization.
    authorization_config: Option<EfsAuthorizationConfig>,
}

/// The access point and the authorization of an EFS volume.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EfsAuthorizationConfig {
    /// The access point's id.
    access_point_id: Option<String>,
    /// IAM authorization: `ENABLED` when the task role determines the permissions, or `DISABLED`.
    #[spec(one_of = sdk::EfsAuthorizationConfigIam, default = "DISABLED")]
    iam: Option<String>,
}

/// A path of the host as a volume.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostVolumeProperties {
    /// The path on the host.
    source_path: Option<String>,
}

impl Volume {
    /// Converts the volume for a request.
    pub(super) fn sdk(&self) -> Result<sdk::Volume> {
        let Volume { name, efs_volume_configuration, host } = self;
        let efs = efs_volume_configuration.as_ref().map(|efs| {
            let authorization =
                efs.authorization_config.as_ref().map(|EfsAuthorizationConfig { access_point_id, iam }| {
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

    /// Reads a volume from a response.
    pub(super) fn from_response(volume: &sdk::Volume) -> Volume {
        let authorization = |a: &sdk::EfsAuthorizationConfig| EfsAuthorizationConfig {
            access_point_id: a.access_point_id.clone(),
            iam: text(&a.iam),
        };
        Volume {
            name: volume.name.clone().unwrap_or_default(),
            efs_volume_configuration: volume.efs_volume_configuration().map(|efs| EfsVolumeConfiguration {
                file_system_id: efs.file_system_id.clone(),
                root_directory: efs.root_directory.clone(),
                transit_encryption: text(&efs.transit_encryption),
                authorization_config: efs.authorization_config().map(authorization),
            }),
            host: volume.host().map(|host| HostVolumeProperties { source_path: host.source_path.clone() }),
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
            let back = Volume::from_response(&volume.sdk().unwrap());
            assert_eq!(holdfast_core::value::of(&back).without_nulls().json(), json);
        }
    }
}
