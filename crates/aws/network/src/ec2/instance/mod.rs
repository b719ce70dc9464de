//! Instance: an EC2 instance, such as a bastion host.

mod live;
mod spec;
mod wire;

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{self as sdk, AttributeValue, InstanceStateName as State, ResourceType};
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::kind::{Created, Desired, Kind, Live, Updated};
use holdfast_base::owner::TagOnCreate;
use holdfast_base::sdk::{all, texts};
use holdfast_base::try_join_all::try_join_all;
use holdfast_core::observed::Phase;
use holdfast_core::schema::relation::{
    Condition::{Is, IsNot, Stated},
    Demand::{Excludes, Needs, OneOf, Range},
    Relation, demand,
};
use holdfast_core::schema::{Idempotency, NamingRules, Tier};
use holdfast_engine::cloud::Scope;

use super::{Ec2Tags, boolean, describe_all, ec2, tag_specification, want};
use live::{InstanceAttributes, attributes, live, state, volumes};
pub(crate) use spec::Instance;
use spec::InstanceStatus;
use wire::{launch, metadata, profile, requested_tags, volume};

impl Kind for Instance {
    type Status = InstanceStatus;
    type Owner = TagOnCreate<Ec2Tags>;
    const TIER: Tier = Tier::Compute;
    /// An address is in use until its instance is terminated (`InvalidIPAddress.InUse`,
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>).
    const UNIQUE: &'static [&'static [&'static str]] =
        &[&[Instance::SUBNET.name(), Instance::PRIVATE_IP_ADDRESS.name()]];
    const NAMING: NamingRules = NamingRules::TAG;
    const IDEMPOTENCY: Idempotency = Idempotency::ClientToken;
    const RELATIONS: &'static [Relation] = &[
        // https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volume-types.html
        demand(Needs("iops")).when(&[Is("volumeType", &["io1", "io2"])]).at("rootVolume"),
        demand(Excludes("iops")).when(&[Is("volumeType", &["gp2", "sc1", "st1", "standard"])]).at("rootVolume"),
        demand(Excludes("throughput")).when(&[IsNot("volumeType", &["gp3"])]).at("rootVolume"),
        demand(Range("iops", Some(3000), None)).when(&[Is("volumeType", &["gp3"])]).at("rootVolume"),
        demand(Range("iops", Some(100), Some(64_000))).when(&[Is("volumeType", &["io1"])]).at("rootVolume"),
        demand(Range("volumeSize", Some(4), Some(16_384))).when(&[Is("volumeType", &["io1"])]).at("rootVolume"),
        demand(Range("volumeSize", Some(4), None)).when(&[Is("volumeType", &["io2"])]).at("rootVolume"),
        demand(Range("volumeSize", None, Some(16_384))).when(&[Is("volumeType", &["gp2"])]).at("rootVolume"),
        demand(Range("volumeSize", None, Some(1024))).when(&[Is("volumeType", &["standard"])]).at("rootVolume"),
        // A root volume is none of the HDD types.
        demand(OneOf("volumeType", &["gp2", "gp3", "io1", "io2", "standard"])).at("rootVolume"),
        demand(OneOf("encrypted", &["true"])).when(&[Stated("kmsKey")]).at("rootVolume"),
    ];

    async fn observe(aws: &Aws, scope: &Scope) -> Result<Vec<Live<Self>>> {
        let describe =
            |filters| all(ec2(aws).describe_instances().set_filters(filters).into_paginator().items().send());
        let reservations: Vec<sdk::Reservation> = describe_all(scope, "instance-id", describe).await?;
        // A terminated instance is listed for about an hour
        // (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/terminating-instances.html).
        let existing = reservations.iter().flat_map(|r| r.instances()).filter(|i| state(i) != Some(&State::Terminated));
        let listed = existing.map(|instance| {
            let live = live(instance, InstanceAttributes::default(), &BTreeMap::new())?;
            Ok((instance, want(scope, &live), live))
        });
        let mut wanted = listed.collect::<Result<Vec<_>>>()?;
        wanted.retain(|(_, want, _)| want.any());
        // These attributes need calls of their own.
        let attributes = wanted.iter().map(|(_, want, live)| async move {
            let read = want.fields() && live.phase != Phase::Deleting;
            if read { attributes(aws, &live.id).await } else { Ok(None) }
        });
        let volumes = volumes(aws, wanted.iter().map(|(instance, ..)| *instance));
        let (attributes, volumes) = futures::try_join!(try_join_all(attributes), volumes)?;
        let wanted = wanted.into_iter().zip(attributes);
        wanted.map(|((instance, ..), of)| live(instance, of.unwrap_or_default(), &volumes)).collect()
    }

    async fn create(aws: &Aws, desired: &Desired<Self>) -> Result<Created<Self>> {
        let mut tags = desired.all_tags();
        tags.extend(requested_tags(&desired.spec));
        let tags = tag_specification(ResourceType::Instance, &tags)?;
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
        let changed = |field| desired.changed(field);
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
            modify().set_groups(Some(texts(groups))).send().await?;
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
        let needs_stop = desired.changed_any(&[Instance::INSTANCE_TYPE, Instance::EBS_OPTIMIZED]);
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
        // A stop or a start takes time.
        Ok(Updated::ObserveAgain)
    }

    async fn delete(aws: &Aws, live: &Live<Self>) -> Result<()> {
        ec2(aws).terminate_instances().instance_ids(&live.id).send().await?;
        Ok(())
    }
}
