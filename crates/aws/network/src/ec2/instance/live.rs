//! The live Instance, from the responses of several calls.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{self as sdk, InstanceAttributeName, InstanceStateName as State};
use futures::TryFutureExt;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::Live;
use holdfast_base::sdk::{all, text};
use holdfast_base::tagging::requested;
use holdfast_core::observed::Phase;
use holdfast_core::types::{Ref, ServerDefault};

use super::spec::{Instance, InstanceMetadataOptions, InstanceStatus, RootVolume};
use super::wire::{IMAGE, PUBLIC};
use crate::ec2::{ec2, filter, from_sdk_tags, tagged};

/// The attributes of an instance that need calls of their own.
#[derive(Default)]
pub(super) struct InstanceAttributes {
    user_data: Option<String>,
    disable_api_termination: Option<bool>,
}

/// Returns the state of an instance.
pub(super) fn state(instance: &sdk::Instance) -> Option<&State> {
    instance.state().and_then(|state| state.name())
}

/// Reads the attributes that need calls of their own; `None` if the instance was deleted between two calls.
pub(super) async fn attributes(aws: &Aws, id: &str) -> Result<Option<InstanceAttributes>> {
    let read =
        |name| ec2(aws).describe_instance_attribute().instance_id(id).attribute(name).send().map_err(Error::from);
    let both =
        futures::try_join!(read(InstanceAttributeName::UserData), read(InstanceAttributeName::DisableApiTermination));
    let Some((data, termination)) = both.or_absent()? else { return Ok(None) };
    let text =
        data.user_data().and_then(|data| data.value()).and_then(|text| aws_smithy_types::base64::decode(text).ok());
    Ok(Some(InstanceAttributes {
        user_data: text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).filter(|text| !text.is_empty()),
        disable_api_termination: termination.disable_api_termination().and_then(|value| value.value()),
    }))
}

fn root_of(instance: &sdk::Instance) -> Option<&str> {
    let root = instance.root_device_name();
    let mapping = instance.block_device_mappings().iter().find(|mapping| mapping.device_name() == root)?;
    mapping.ebs().and_then(|ebs| ebs.volume_id())
}

/// Reads the root volumes of these instances, by volume id, with one call for all.
pub(super) async fn volumes<'a>(
    aws: &Aws,
    instances: impl Iterator<Item = &'a sdk::Instance>,
) -> Result<BTreeMap<String, sdk::Volume>> {
    let ids: Vec<String> = instances.filter_map(root_of).map(str::to_owned).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let pages = ec2(aws).describe_volumes().filters(filter("volume-id", ids)).into_paginator().items().send();
    let volumes = all(pages).await?;
    Ok(volumes.into_iter().filter_map(|volume| Some((volume.volume_id.clone()?, volume))).collect())
}

fn root_volume(volume: &sdk::Volume) -> RootVolume {
    RootVolume {
        volume_size: volume.size.map(ServerDefault),
        volume_type: text(&volume.volume_type).map(ServerDefault),
        iops: volume.iops.map(ServerDefault),
        throughput: volume.throughput.map(ServerDefault),
        encrypted: volume.encrypted.map(ServerDefault),
        kms_key: volume.kms_key_id.clone().map(|arn| ServerDefault(Ref::new(arn))),
    }
}

/// Returns the live instance from all of these responses.
pub(super) fn live(
    instance: &sdk::Instance,
    attributes: InstanceAttributes,
    volumes: &BTreeMap<String, sdk::Volume>,
) -> Result<Live<Instance>> {
    let id = instance.instance_id.clone();
    let id = id.ok_or_else(|| Error::incomplete("ec2.DescribeInstances", "instanceId"))?;
    let tags = from_sdk_tags(instance.tags());
    let image = instance.image_id.clone().unwrap_or_default();
    let interface =
        instance.network_interfaces().iter().find(|i| i.attachment().is_none_or(|a| a.device_index == Some(0)));
    // A stopped instance has no public address, so the desired setting cannot be read from it.
    let (phase, word) = match state(instance) {
        Some(State::Pending) => (Phase::Pending, "running"),
        Some(State::Stopping) => (Phase::Updating, "stopped"),
        Some(State::Stopped) => (Phase::Ready, "stopped"),
        Some(State::ShuttingDown) => (Phase::Deleting, "running"),
        _ => (Phase::Ready, "running"),
    };
    let auto = |i: &sdk::InstanceNetworkInterface| i.association().is_some_and(|a| a.ip_owner_id() == Some("amazon"));
    let public =
        requested(&tags, PUBLIC).map(|text| text == "true").or(interface.filter(|_| word == "running").map(auto));
    let metadata = instance.metadata_options();
    let volume = root_of(instance).and_then(|id| volumes.get(id));
    let spec = Instance {
        image_id: requested(&tags, IMAGE).cloned().unwrap_or_else(|| image.clone()),
        instance_type: text(&instance.instance_type).unwrap_or_default(),
        subnet: Ref::new(instance.subnet_id().unwrap_or_default()),
        security_groups: Some(
            instance.security_groups().iter().filter_map(|g| g.group_id.clone()).map(Ref::new).collect(),
        ),
        associate_public_ip_address: public,
        private_ip_address: instance.private_ip_address.clone(),
        iam_instance_profile: instance.iam_instance_profile().and_then(|profile| profile.arn()).map(Ref::from),
        key_name: instance.key_name.clone().filter(|name| !name.is_empty()),
        user_data: attributes.user_data,
        metadata_options: InstanceMetadataOptions {
            http_tokens: metadata.and_then(|m| m.http_tokens()).map_or("optional", |word| word.as_str()).to_owned(),
            http_put_response_hop_limit: metadata.and_then(|m| m.http_put_response_hop_limit).map(ServerDefault),
            http_endpoint: metadata.and_then(|m| m.http_endpoint()).map(|word| ServerDefault(word.as_str().to_owned())),
            instance_metadata_tags: metadata
                .and_then(|m| m.instance_metadata_tags())
                .map(|word| ServerDefault(word.as_str().to_owned())),
        },
        root_volume: volume.map(root_volume).map(ServerDefault),
        ebs_optimized: Some(instance.ebs_optimized.unwrap_or(false)),
        monitoring: instance.monitoring().and_then(|m| m.state()).map(|s| matches!(s.as_str(), "enabled" | "pending")),
        source_dest_check: instance.source_dest_check.map(ServerDefault),
        disable_api_termination: attributes.disable_api_termination.map(ServerDefault),
        state: word.to_owned(),
    };
    let status = InstanceStatus {
        image,
        private_ip: instance.private_ip_address.clone(),
        public_ip: instance.public_ip_address.clone().filter(|ip| !ip.is_empty()),
        private_dns_name: instance.private_dns_name.clone(),
        root_volume_id: root_of(instance).map(str::to_owned),
        network_interface_id: interface.and_then(|interface| interface.network_interface_id.clone()),
    };
    Ok(tagged(id, tags, spec, status).phase(phase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(state: State) -> sdk::builders::InstanceBuilder {
        let state = sdk::InstanceState::builder().name(state).build();
        sdk::Instance::builder().instance_id("i-1").image_id("ami-2").state(state)
    }

    #[test]
    fn the_live_image_is_the_requested_parameter() {
        let requested = "resolve:ssm:/aws/service/x";
        let live = |key: &str| {
            let tag = sdk::Tag::builder().key(key).value(requested).build();
            live(&instance(State::Running).tags(tag).build(), InstanceAttributes::default(), &BTreeMap::new()).unwrap()
        };
        // The second key is that of an earlier build.
        for live in [live(IMAGE), live("holdfast:asked/imageId")] {
            assert_eq!((live.spec.image_id.as_str(), live.status.image.as_str()), (requested, "ami-2"));
            let tags = super::super::wire::requested_tags(&live.spec);
            assert_eq!(tags.get(IMAGE).map(String::as_str), Some(requested));
        }
    }

    #[test]
    fn a_stopping_instance_is_updating_and_its_public_address_is_unknown() {
        let interface = sdk::InstanceNetworkInterface::builder().network_interface_id("eni-1").build();
        let stopping = instance(State::Stopping).network_interfaces(interface.clone()).build();
        let live = |i| live(&i, InstanceAttributes::default(), &BTreeMap::new()).unwrap();
        let stopping = live(stopping);
        assert_eq!((stopping.phase, stopping.spec.state.as_str()), (Phase::Updating, "stopped"));
        assert_eq!(stopping.spec.associate_public_ip_address, None);
        let running = live(instance(State::Running).network_interfaces(interface).build());
        assert_eq!(running.spec.associate_public_ip_address, Some(false));
    }
}
