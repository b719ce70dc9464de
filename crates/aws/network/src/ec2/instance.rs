//! Instance: an EC2 instance, such as a bastion host.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{self as sdk, AttributeValue, InstanceStateName as State, ResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, TagChanges, Updated};
use holdfast_base::names::InstanceProfile;
use holdfast_base::names::Key;
use holdfast_base::try_join_all::try_join_all;
use holdfast_core::Spec;
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_core::types::{Arn, Ref, ServerDefault};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::instance_wire::{attributes, launch, live, metadata, profile, requested_tags, volume, volumes};
use super::security_group::SecurityGroup;
use super::subnet::Subnet;
use super::{boolean, describe_all, ec2, tag, tag_specification};

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
    pub(super) image_id: String,
    /// The instance type, as in `t4g.nano`. A change stops the instance for a minute or two.
    pub(super) instance_type: String,
    /// The subnet of the instance.
    #[spec(immutable)]
    pub(super) subnet: Ref<Subnet>,
    /// The security groups of the network interface. Without them, AWS uses the VPC's default security group.
    pub(super) security_groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// Whether the instance gets a public IPv4 address, which changes with every stop. Without it, the subnet's setting
    /// applies. Recorded in the tag `holdfast:requested/associatePublicIpAddress`.
    #[spec(immutable)]
    pub(super) associate_public_ip_address: Option<bool>,
    /// The private IPv4 address, in the range of the subnet. AWS chooses the address if it is left out.
    #[spec(immutable)]
    pub(super) private_ip_address: Option<String>,
    /// The instance profile, whose role the programs on the instance have.
    pub(super) iam_instance_profile: Option<Ref<InstanceProfile, Arn>>,
    /// The name of a key pair, for SSH.
    #[spec(immutable)]
    pub(super) key_name: Option<String>,
    /// The user data: the script or cloud-config of the first start, at most 16 KB. Do not put secrets into it: every
    /// user on the instance can read it.
    #[spec(immutable)]
    pub(super) user_data: Option<String>,
    /// The metadata options: how programs on the instance request their credentials.
    #[serde(default)]
    pub(super) metadata_options: InstanceMetadataOptions,
    /// The root volume.
    pub(super) root_volume: Option<ServerDefault<RootVolume>>,
    /// Whether the instance is EBS-optimised: it has dedicated bandwidth to its volumes. Newer instance types always
    /// are. AWS's default is `false`. A change stops the instance.
    pub(super) ebs_optimized: Option<bool>,
    /// Whether detailed monitoring is on: metrics every minute and not every five minutes. AWS's default is `false`.
    pub(super) monitoring: Option<bool>,
    /// Whether AWS drops packets that are neither from nor for the instance: `false` for a router or a NAT instance.
    pub(super) source_dest_check: Option<ServerDefault<bool>>,
    /// Termination protection: whether AWS refuses to terminate the instance, also for Holdfast. AWS's default is
    /// `false`.
    pub(super) disable_api_termination: Option<ServerDefault<bool>>,
    /// The state: `running`, or `stopped` for an instance that costs no more than its volume. If the document ignores
    /// this field, a change that stops the instance leaves the instance stopped.
    #[serde(default = "running")]
    pub(super) state: String,
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
    #[serde(default = "required")]
    pub(super) http_tokens: String,
    /// The hop limit of the responses, 1 to 64. A limit of 2 reaches containers.
    pub(super) http_put_response_hop_limit: Option<ServerDefault<i32>>,
    /// Whether the metadata endpoint is available: `enabled` or `disabled`.
    pub(super) http_endpoint: Option<ServerDefault<String>>,
    /// Whether the metadata contains the tags of the instance: `enabled` or `disabled`.
    pub(super) instance_metadata_tags: Option<ServerDefault<String>>,
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
    /// grows at the next start.
    pub(super) volume_size: Option<ServerDefault<i32>>,
    /// The volume type: `gp3`, `gp2`, `io1`, `io2`, …
    pub(super) volume_type: Option<ServerDefault<String>>,
    /// The I/O operations a second, for `gp3` (AWS's default is 3000), `io1` and `io2`.
    pub(super) iops: Option<ServerDefault<i32>>,
    /// The throughput in MiB a second, for `gp3`. AWS's default is 125.
    pub(super) throughput: Option<ServerDefault<i32>>,
    /// Whether the volume is encrypted. AWS's default is the account's setting for the region.
    #[spec(immutable)]
    pub(super) encrypted: Option<ServerDefault<bool>>,
    /// The KMS key that encrypts the volume. Without it, AWS uses its own key.
    #[spec(immutable)]
    pub(super) kms_key: Option<ServerDefault<Ref<Key, Arn>>>,
}

/// The read-only attributes of an Instance.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceStatus {
    /// The AMI that the instance was created from.
    pub(super) image: String,
    /// The private IPv4 address.
    pub(super) private_ip: Option<String>,
    /// The public IPv4 address, while the instance has one.
    pub(super) public_ip: Option<String>,
    /// The private host name.
    pub(super) private_dns_name: Option<String>,
    /// The id of the root volume.
    pub(super) root_volume_id: Option<String>,
    /// The id of the primary network interface.
    pub(super) network_interface_id: Option<String>,
}

impl Kind for Instance {
    type Status = InstanceStatus;
    const TIER: Tier = Tier::Compute;
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let describe =
            |filters| ec2(aws).describe_instances().set_filters(filters).into_paginator().items().send().collect();
        let reservations: Vec<sdk::Reservation> = describe_all(scope, "instance-id", describe).await?;
        // A terminated instance is listed for about an hour
        // (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html).
        let exists = |i: &&sdk::Instance| state(i) != Some(&State::Terminated);
        let instances: Vec<&sdk::Instance> = reservations.iter().flat_map(|r| r.instances()).filter(exists).collect();
        let is_requested = |i: &sdk::Instance| {
            scope.is_owned(&super::tags_of(i.tags.as_deref()))
                || i.instance_id().is_some_and(|id| scope.ids.contains(id))
        };
        let attributes = instances.iter().map(|instance| async move {
            // These attributes need calls of their own, which are made for requested instances that are not shutting
            // down.
            let read = is_requested(instance) && state(instance) != Some(&State::ShuttingDown);
            if read { attributes(aws, instance.instance_id().unwrap_or_default()).await } else { Ok(None) }
        });
        let (attributes, volumes) = futures::try_join!(try_join_all(attributes), volumes(aws, &instances))?;
        let live = |(instance, of): (&&sdk::Instance, Option<_>)| live(instance, of.unwrap_or_default(), &volumes);
        instances.iter().zip(attributes).map(live).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let mut tags = desired.tags.clone();
        tags.extend(requested_tags(&desired.spec));
        let tags = tag_specification(ResourceType::Instance, &desired.name, &tags);
        let run = launch(aws, &desired.spec).await?;
        let created =
            run.client_token(&desired.token).tag_specifications(tags).min_count(1).max_count(1).send().await?;
        let instance = created.instances.unwrap_or_default().pop();
        let id = instance.and_then(|instance| instance.instance_id);
        id.ok_or_else(|| Error::incomplete("ec2.RunInstances", "instanceId")).map(Created::unobserved)
    }

    /// Changes the instance, and stops it for attributes that AWS changes only on a stopped instance.
    ///
    /// # Expected flow
    /// 1. Change the attributes that AWS changes on a running instance.
    /// 2. If the instance type or the EBS optimisation differs, stop the instance. The observation that finds the
    ///    instance stopped leads to the next update.
    /// 3. In that update, change both attributes, and start the instance if `state` is `running`.
    ///
    /// # Caveats
    /// If the document ignores `state`, the instance remains stopped after step 2.
    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<Updated> {
        let Instance {
            image_id: _,
            instance_type,
            subnet: _,
            security_groups,
            associate_public_ip_address: _,
            private_ip_address: _,
            iam_instance_profile,
            key_name: _,
            user_data: _,
            metadata_options,
            root_volume,
            ebs_optimized,
            monitoring,
            source_dest_check,
            disable_api_termination,
            state,
        } = &desired.spec;
        let changed = |field: &str| desired.changed(field);
        // One attribute a call
        // (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html).
        let modify = || ec2(aws).modify_instance_attribute().instance_id(&live.id);
        if let Some(on) = disable_api_termination.filter(|_| changed(Instance::DISABLE_API_TERMINATION)) {
            modify().disable_api_termination(boolean(on.0)).send().await?;
        }
        if changed(Instance::METADATA_OPTIONS) {
            metadata(aws, &live.id, metadata_options).send().await?;
        }
        if let Some(groups) = security_groups.as_ref().filter(|_| changed(Instance::SECURITY_GROUPS)) {
            modify().set_groups(Some(groups.iter().map(ToString::to_string).collect())).send().await?;
        }
        if changed(Instance::IAM_INSTANCE_PROFILE) {
            profile(aws, &live.id, iam_instance_profile.as_ref()).await?;
        }
        if let Some(on) = source_dest_check.filter(|_| changed(Instance::SOURCE_DEST_CHECK)) {
            modify().source_dest_check(boolean(on.0)).send().await?;
        }
        if changed(Instance::MONITORING) {
            if monitoring.unwrap_or(false) {
                ec2(aws).monitor_instances().instance_ids(&live.id).send().await?;
            } else {
                ec2(aws).unmonitor_instances().instance_ids(&live.id).send().await?;
            }
        }
        if let (Some(root), Some(id), true) = (root_volume, &live.status.root_volume_id, changed(Instance::ROOT_VOLUME))
        {
            volume(aws, id, live.spec.root_volume.as_deref(), root).send().await?;
        }
        // AWS changes these attributes only on a stopped instance.
        let needs_stop = changed(Instance::INSTANCE_TYPE) || changed(Instance::EBS_OPTIMIZED);
        let stopped = live.spec.state == "stopped";
        if changed(Instance::INSTANCE_TYPE) && stopped {
            modify().instance_type(AttributeValue::builder().value(instance_type).build()).send().await?;
        }
        if changed(Instance::EBS_OPTIMIZED) && stopped {
            modify().ebs_optimized(boolean(ebs_optimized.unwrap_or(false))).send().await?;
        }
        if (needs_stop || state == "stopped") && !stopped {
            ec2(aws).stop_instances().instance_ids(&live.id).send().await?;
        }
        if stopped && state == "running" {
            ec2(aws).start_instances().instance_ids(&live.id).send().await?;
        }
        Ok(Updated::Known)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).terminate_instances().instance_ids(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &TagChanges) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

pub(super) fn state(instance: &sdk::Instance) -> Option<&State> {
    instance.state().and_then(|state| state.name())
}
