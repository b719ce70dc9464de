//! Instance: a virtual machine, such as a bastion.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::{self as sdk, AttributeValue, InstanceStateName as State, ResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Desired, Kind, Live, Made, Retag};
use holdfast_base::names::InstanceProfile;
use holdfast_base::names::Key;
use holdfast_base::together::try_join_all;
use holdfast_core::Spec;
use holdfast_core::schema::{CreateClass, Naming, Tier};
use holdfast_core::types::{Always, Arn, Ref};
use holdfast_engine::cloud::Scope;
use serde::{Deserialize, Serialize};

use super::instance_wire::{asked_tags, attributes, launch, live, metadata, profile, volume, volumes};
use super::security_group::SecurityGroup;
use super::subnet::Subnet;
use super::{all, boolean, ec2, tag, tag_specification};

/// A virtual machine. One that people reach by Session Manager needs no key and no open port: an `InstanceProfile` whose
/// role has `AmazonSSMManagedInstanceCore`, and a way to the endpoints of SSM. What AWS changes only in a stopped one is
/// changed by a stop and a start.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Instance {
    /// The image: `ami-…`, or `resolve:ssm:<parameter>` for the one that a parameter of SSM names when the instance is
    /// made, as in `resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64`. When AWS's newest
    /// image moves on, an instance stays what it is; a tag remembers what was asked for
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-systems-manager-parameter-to-find-AMI.html>).
    #[spec(immutable)]
    pub(super) image_id: String,
    /// Its type, as in `t4g.nano`. A change stops it for a minute or two.
    pub(super) instance_type: String,
    /// The subnet that it stands in.
    #[spec(immutable)]
    pub(super) subnet: Ref<Subnet>,
    /// The groups of its network interface. AWS takes the Vpc's default group when they are left out.
    pub(super) security_groups: Option<BTreeSet<Ref<SecurityGroup>>>,
    /// Whether it gets a public IPv4 address, another one after every stop. The subnet decides when it is left out.
    #[spec(immutable)]
    pub(super) associate_public_ip_address: Option<bool>,
    /// Its private IPv4 address inside the subnet; AWS chooses one when it is left out.
    #[spec(immutable)]
    pub(super) private_ip_address: Option<String>,
    /// The role that its programs have.
    pub(super) iam_instance_profile: Option<Ref<InstanceProfile, Arn>>,
    /// The name of a key pair, for SSH.
    #[spec(immutable)]
    pub(super) key_name: Option<String>,
    /// The script or cloud-config of the first start, at most 16 KB. It is no place for secrets: whoever is on the
    /// machine can read it.
    #[spec(immutable)]
    pub(super) user_data: Option<String>,
    /// How programs on it ask for their credentials.
    #[serde(default)]
    pub(super) metadata_options: MetadataOptions,
    /// The volume that it starts from.
    pub(super) root_volume: Option<Always<RootVolume>>,
    /// Whether it has a way of its own to its volumes, which newer types always have. AWS's default is `false`. A
    /// change stops it.
    pub(super) ebs_optimized: Option<bool>,
    /// Whether metrics come every minute rather than every five. AWS's default is `false`.
    pub(super) monitoring: Option<bool>,
    /// Whether AWS drops packets that are neither from nor for it: `false` for a router or a NAT instance.
    pub(super) source_dest_check: Option<Always<bool>>,
    /// Whether AWS refuses to terminate it, Holdfast included. AWS's default is `false`.
    pub(super) disable_api_termination: Option<Always<bool>>,
    /// `running`, or `stopped` for one that costs no more than its volume. Where a document ignores it, a change that
    /// stops the instance leaves it stopped.
    #[serde(default = "running")]
    pub(super) state: String,
}

fn running() -> String {
    "running".into()
}

/// How programs on an instance ask for metadata and credentials
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>).
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MetadataOptions {
    /// `required` for version 2 only, which a forged request cannot use; `optional` for both.
    #[serde(default = "required")]
    pub(super) http_tokens: String,
    /// How far answers go, 1 to 64: 2 reaches containers.
    pub(super) http_put_response_hop_limit: Option<Always<i32>>,
    /// `enabled` or `disabled`.
    pub(super) http_endpoint: Option<Always<String>>,
    /// `enabled` when the tags can be read there too, or `disabled`.
    pub(super) instance_metadata_tags: Option<Always<String>>,
}

fn required() -> String {
    "required".into()
}

impl Default for MetadataOptions {
    fn default() -> Self {
        MetadataOptions {
            http_tokens: required(),
            http_put_response_hop_limit: None,
            http_endpoint: None,
            instance_metadata_tags: None,
        }
    }
}

/// The volume that an instance starts from.
#[derive(Clone, Debug, Serialize, Deserialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RootVolume {
    /// GiB, at least the image's own size. It can grow and not shrink; the file system grows at the next start.
    pub(super) volume_size: Option<Always<i32>>,
    /// `gp3`, `gp2`, `io1`, `io2`, …
    pub(super) volume_type: Option<Always<String>>,
    /// Operations a second, for `gp3` (3000 unless set), `io1` and `io2`.
    pub(super) iops: Option<Always<i32>>,
    /// MiB a second, for `gp3`: 125 unless set.
    pub(super) throughput: Option<Always<i32>>,
    /// Whether it is encrypted. AWS's default is the account's setting for the region.
    #[spec(immutable)]
    pub(super) encrypted: Option<Always<bool>>,
    /// The key that encrypts it; AWS takes its own when it is left out.
    #[spec(immutable)]
    pub(super) kms_key: Option<Always<Ref<Key, Arn>>>,
}

/// What only AWS knows of an Instance.
#[derive(Clone, Debug, Serialize, Spec)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InstanceStatus {
    /// The image that it was made from.
    pub(super) image: String,
    /// Its private address.
    pub(super) private_ip: Option<String>,
    /// Its public address, while it has one.
    pub(super) public_ip: Option<String>,
    /// Its private host name.
    pub(super) private_dns_name: Option<String>,
    /// The volume that it starts from.
    pub(super) root_volume_id: Option<String>,
    /// Its first network interface.
    pub(super) network_interface_id: Option<String>,
}

impl Kind for Instance {
    type Status = InstanceStatus;
    const TIER: Tier = Tier::Compute;
    const NAMING: Naming = Naming::TAG;
    const CLASS: CreateClass = CreateClass::Token;

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let ask =
            |filters| ec2(aws).describe_instances().set_filters(filters).into_paginator().items().send().collect();
        let reservations: Vec<sdk::Reservation> = all(scope, "instance-id", ask).await?;
        // A terminated one is listed for about an hour
        // (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html).
        let there = |i: &&sdk::Instance| state(i) != Some(&State::Terminated);
        let instances: Vec<&sdk::Instance> = reservations.iter().flat_map(|r| r.instances()).filter(there).collect();
        let ours = |i: &sdk::Instance| {
            scope.is_owned(&super::tags_of(i.tags.as_deref()))
                || i.instance_id().is_some_and(|id| scope.ids.contains(id))
        };
        let told = instances.iter().map(|instance| async move {
            // What only calls of its own tell, of what is ours and not on its way out.
            let ask = ours(instance) && state(instance) != Some(&State::ShuttingDown);
            if ask { attributes(aws, instance.instance_id().unwrap_or_default()).await } else { Ok(None) }
        });
        let (told, volumes) = futures::try_join!(try_join_all(told), volumes(aws, &instances))?;
        instances.iter().zip(told).map(|(instance, told)| live(instance, told.unwrap_or_default(), &volumes)).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Made<Self>> {
        let mut tags = desired.tags.clone();
        tags.extend(asked_tags(&desired.spec));
        let tags = tag_specification(ResourceType::Instance, &desired.name, &tags);
        let run = launch(aws, &desired.spec).await?;
        let made = run.client_token(&desired.token).tag_specifications(tags).min_count(1).max_count(1).send().await?;
        let instance = made.instances.unwrap_or_default().pop();
        let id = instance.and_then(|instance| instance.instance_id);
        id.ok_or_else(|| Error::incomplete("ec2.RunInstances", "instanceId")).map(Made::unseen)
    }

    async fn update(aws: &Aws, live: &Live<Self>, desired: &Desired<Self>) -> Result<()> {
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
        // One attribute a call (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyInstanceAttribute.html).
        let modify = || ec2(aws).modify_instance_attribute().instance_id(&live.id);
        if let Some(on) = disable_api_termination.filter(|_| changed("disableApiTermination")) {
            modify().disable_api_termination(boolean(on.0)).send().await?;
        }
        if changed("metadataOptions") {
            metadata(aws, &live.id, metadata_options).send().await?;
        }
        if let Some(groups) = security_groups.as_ref().filter(|_| changed("securityGroups")) {
            modify().set_groups(Some(groups.iter().map(ToString::to_string).collect())).send().await?;
        }
        if changed("iamInstanceProfile") {
            profile(aws, &live.id, iam_instance_profile.as_ref()).await?;
        }
        if let Some(on) = source_dest_check.filter(|_| changed("sourceDestCheck")) {
            modify().source_dest_check(boolean(on.0)).send().await?;
        }
        if changed("monitoring") {
            if monitoring.unwrap_or(false) {
                ec2(aws).monitor_instances().instance_ids(&live.id).send().await?;
            } else {
                ec2(aws).unmonitor_instances().instance_ids(&live.id).send().await?;
            }
        }
        if let (Some(wanted), Some(id), true) = (root_volume, &live.status.root_volume_id, changed("rootVolume")) {
            volume(aws, id, live.spec.root_volume.as_deref(), wanted).send().await?;
        }
        // Of a stopped one only: it stops now, and the look that finds it stopped leads here again.
        let refit = changed("instanceType") || changed("ebsOptimized");
        let stopped = live.spec.state == "stopped";
        if changed("instanceType") && stopped {
            modify().instance_type(AttributeValue::builder().value(instance_type).build()).send().await?;
        }
        if changed("ebsOptimized") && stopped {
            modify().ebs_optimized(boolean(ebs_optimized.unwrap_or(false))).send().await?;
        }
        let stop = (refit || state == "stopped") && !stopped;
        if stop {
            ec2(aws).stop_instances().instance_ids(&live.id).send().await?;
        }
        if stopped && state == "running" {
            ec2(aws).start_instances().instance_ids(&live.id).send().await?;
        }
        Ok(())
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).terminate_instances().instance_ids(&live.id).send().await?;
        Ok(())
    }

    async fn tag(aws: &Aws, live: &Live<Self>, tags: &Retag) -> Result<()> {
        tag(aws, &live.id, tags).await
    }
}

pub(super) fn state(instance: &sdk::Instance) -> Option<&State> {
    instance.state().and_then(|state| state.name())
}
