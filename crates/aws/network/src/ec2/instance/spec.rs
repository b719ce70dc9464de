//! The spec and the status of an Instance.

use std::collections::BTreeSet;

use aws_sdk_ec2::types as sdk;
use holdfast_base::names::{InstanceProfile, Key};
use holdfast_core::Spec;
use holdfast_core::types::{Arn, Ref, ServerDefault};
use serde::{Deserialize, Serialize};

use crate::ec2::security_group::SecurityGroup;
use crate::ec2::subnet::Subnet;

/// An EC2 instance: a virtual machine.
///
/// An instance that people reach with Session Manager needs no key pair and no open port. It needs an `InstanceProfile`
/// whose role has `AmazonSSMManagedInstanceCore`, and network access to the endpoints of SSM. If AWS changes an
/// attribute only on a stopped instance, Holdfast stops the instance, changes the attribute, and starts the instance.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Instance {
    /// The AMI: `ami-…`, or `resolve:ssm:<parameter>` for the AMI that an SSM parameter names when the instance is
    /// created, as in `resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64`. A later value
    /// of the parameter does not change the instance. The tag `holdfast:requested/imageId` records the requested
    /// parameter
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-systems-manager-parameter-to-find-AMI.html>).
    #[spec(immutable)]
    pub(in crate::ec2) image_id: String,
    /// The instance type, as in `t4g.nano`. A change stops the instance for a minute or two.
    #[spec(pattern = r"[a-z][a-z0-9-]*\.(nano|micro|small|medium|large|[0-9]*xlarge|metal(-[0-9]+xl)?)")]
    pub(in crate::ec2) instance_type: String,
    /// The subnet of the instance.
    #[spec(immutable)]
    pub(in crate::ec2) subnet: Ref<Subnet>,
    /// The security groups of the network interface. Without them, AWS uses the VPC's default security group.
    #[spec(never_null)]
    pub(in crate::ec2) security_groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// Whether the instance gets a public IPv4 address, which changes with every stop. Without it, the subnet's setting
    /// applies. Recorded in the tag `holdfast:requested/associatePublicIpAddress`.
    #[spec(immutable)]
    pub(in crate::ec2) associate_public_ip_address: Option<bool>,
    /// The private IPv4 address, in the range of the subnet. AWS chooses the address if it is left out.
    #[spec(immutable)]
    pub(in crate::ec2) private_ip_address: Option<String>,
    /// The instance profile, whose role the programs on the instance have.
    pub(in crate::ec2) iam_instance_profile: Option<Ref<InstanceProfile, Arn>>,
    /// The name of a key pair, for SSH.
    #[spec(immutable, default = null)]
    pub(in crate::ec2) key_name: Option<String>,
    /// The user data: the script or cloud-config of the first start, at most 16 KB. Do not put secrets into it: every
    /// user on the instance can read it.
    #[spec(immutable, length = ..=16384, default = null)]
    pub(in crate::ec2) user_data: Option<String>,
    /// The metadata options: how programs on the instance request their credentials.
    #[serde(default)]
    pub(in crate::ec2) metadata_options: InstanceMetadataOptions,
    /// The root volume.
    pub(in crate::ec2) root_volume: Option<ServerDefault<RootVolume>>,
    /// Whether the instance is EBS-optimised: it has dedicated bandwidth to its volumes. Newer instance types always
    /// are. A change stops the instance.
    #[spec(default = false)]
    pub(in crate::ec2) ebs_optimized: Option<bool>,
    /// Whether detailed monitoring is on: metrics every minute and not every five minutes.
    #[spec(default = false)]
    pub(in crate::ec2) monitoring: Option<bool>,
    /// Whether AWS drops packets that are neither from nor for the instance: `false` for a router or a NAT instance.
    #[spec(default = true)]
    pub(in crate::ec2) source_dest_check: Option<ServerDefault<bool>>,
    /// Termination protection: whether AWS refuses to terminate the instance, also for Holdfast.
    #[spec(default = false)]
    pub(in crate::ec2) disable_api_termination: Option<ServerDefault<bool>>,
    /// The state: `running`, or `stopped` for an instance that costs no more than its volume. If the document ignores
    /// this field, a change that stops the instance leaves the instance stopped.
    #[spec(one_of = ["running", "stopped"])]
    #[serde(default = "running")]
    pub(in crate::ec2) state: String,
}

fn running() -> String {
    "running".into()
}

/// The options of the instance metadata service, from which programs on an instance request metadata and credentials
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceMetadataOptions {
    /// `required` for IMDSv2 only, which resists forged requests; `optional` for both versions.
    #[spec(one_of = sdk::HttpTokensState)]
    #[serde(default = "required")]
    pub(in crate::ec2) http_tokens: String,
    /// The hop limit of the responses. A limit of 2 reaches containers.
    #[spec(range = 1..=64)]
    pub(in crate::ec2) http_put_response_hop_limit: Option<ServerDefault<i32>>,
    /// Whether the metadata endpoint is available.
    #[spec(one_of = sdk::InstanceMetadataEndpointState)]
    pub(in crate::ec2) http_endpoint: Option<ServerDefault<String>>,
    /// Whether the metadata contains the tags of the instance.
    #[spec(one_of = sdk::InstanceMetadataTagsState)]
    pub(in crate::ec2) instance_metadata_tags: Option<ServerDefault<String>>,
}

fn required() -> String {
    "required".into()
}

impl Default for InstanceMetadataOptions {
    fn default() -> Self {
        InstanceMetadataOptions {
            http_tokens: required(),
            http_put_response_hop_limit: None,
            http_endpoint: None,
            instance_metadata_tags: None,
        }
    }
}

/// The root volume of an instance.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RootVolume {
    /// The size in GiB, at least the size of the AMI's volume. A volume can grow and cannot shrink. The file system
    /// grows at the next start (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html>).
    #[spec(range = 1..=65536)]
    pub(in crate::ec2) volume_size: Option<ServerDefault<i32>>,
    /// The volume type.
    #[spec(one_of = sdk::VolumeType)]
    pub(in crate::ec2) volume_type: Option<ServerDefault<String>>,
    /// The I/O operations a second, for `gp3` (AWS's default is 3000), `io1` and `io2`.
    #[spec(range = 100..=256000)]
    pub(in crate::ec2) iops: Option<ServerDefault<i32>>,
    /// The throughput in MiB a second, for `gp3`. AWS's default is 125.
    #[spec(range = 125..=2000)]
    pub(in crate::ec2) throughput: Option<ServerDefault<i32>>,
    /// Whether the volume is encrypted. AWS's default is the account's setting for the region.
    #[spec(immutable)]
    pub(in crate::ec2) encrypted: Option<ServerDefault<bool>>,
    /// The KMS key that encrypts the volume. Without it, AWS uses its own key.
    #[spec(immutable)]
    pub(in crate::ec2) kms_key: Option<ServerDefault<Ref<Key, Arn>>>,
}

/// The read-only attributes of an Instance.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceStatus {
    /// The AMI that the instance was created from.
    pub(in crate::ec2) image: String,
    /// The private IPv4 address.
    pub(in crate::ec2) private_ip: Option<String>,
    /// The public IPv4 address, while the instance has one.
    pub(in crate::ec2) public_ip: Option<String>,
    /// The private host name.
    pub(in crate::ec2) private_dns_name: Option<String>,
    /// The id of the root volume.
    pub(in crate::ec2) root_volume_id: Option<String>,
    /// The id of the primary network interface.
    pub(in crate::ec2) network_interface_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use holdfast_core::schema::Spec as _;

    use super::*;

    #[test]
    fn the_pattern_of_instance_types_accepts_every_known_type() {
        let field = Instance::RECORD.field("instanceType").unwrap();
        let refused = |ty: &str| field.constraints.iter().any(|constraint| constraint.check(&ty.into()).is_err());
        let unknown: Vec<_> = sdk::InstanceType::values().iter().filter(|ty| refused(ty)).collect();
        assert_eq!(unknown, [] as [&&str; 0]);
        assert!(refused("t4g.nanoo") && refused("t4g"));
    }
}
