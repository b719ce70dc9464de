//! The requests and responses of an Instance: EC2 needs more than one call in each direction.

use std::collections::BTreeMap;

use aws_sdk_ec2::operation::modify_instance_metadata_options::builders::ModifyInstanceMetadataOptionsFluentBuilder;
use aws_sdk_ec2::operation::modify_volume::builders::ModifyVolumeFluentBuilder;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{self as sdk, InstanceAttributeName, InstanceStateName as State};
use futures::TryFutureExt;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, OrAbsent, Result};
use holdfast_base::kind::Live;
use holdfast_base::names::InstanceProfile;
use holdfast_base::sdk::all;
use holdfast_base::tagging::{Tags, requested};
use holdfast_core::observed::Phase;
use holdfast_core::types::{Arn, Ref, ServerDefault};

use super::instance::{Instance, InstanceMetadataOptions, InstanceStatus, RootVolume, state};
use super::{ec2, name_of, ssm, tags_of};

/// The prefix of an image that an SSM parameter names.
const RESOLVE: &str = "resolve:ssm:";

/// The tags that record requested values which AWS does not return.
const IMAGE: &str = "holdfast:requested/imageId";
const PUBLIC: &str = "holdfast:requested/associatePublicIpAddress";

/// The attributes of an instance that need calls of their own.
#[derive(Default)]
pub(super) struct InstanceAttributes {
    user_data: Option<String>,
    disable_api_termination: Option<bool>,
}

/// Returns the tags of a new instance that record its requested values.
pub(super) fn requested_tags(spec: &Instance) -> Tags {
    let image = Some(&spec.image_id).filter(|image| image.starts_with(RESOLVE));
    let image = image.map(|image| (IMAGE.to_owned(), image.clone()));
    let public = spec.associate_public_ip_address.map(|on| (PUBLIC.to_owned(), on.to_string()));
    image.into_iter().chain(public).collect()
}

/// Returns the call that creates an instance, without the client token, tags and counts.
pub(super) async fn launch(aws: &Aws, spec: &Instance) -> Result<RunInstancesFluentBuilder> {
    let Instance {
        image_id,
        instance_type,
        subnet,
        security_groups,
        associate_public_ip_address,
        private_ip_address,
        iam_instance_profile,
        key_name,
        user_data,
        metadata_options,
        root_volume,
        ebs_optimized,
        monitoring,
        // RunInstances does not accept this field. The update after the create changes it.
        source_dest_check: _,
        disable_api_termination,
        state: _,
    } = spec;
    let groups = security_groups.as_ref().map(|groups| groups.iter().map(ToString::to_string).collect());
    let mut run = ec2(aws).run_instances();
    // The public address is a setting of the network interface, which then also has the subnet and the groups.
    run = match associate_public_ip_address {
        Some(public) => run.network_interfaces(
            sdk::InstanceNetworkInterfaceSpecification::builder()
                .device_index(0)
                .associate_public_ip_address(*public)
                .subnet_id(subnet.as_str())
                .set_groups(groups)
                .set_private_ip_address(private_ip_address.clone())
                .build(),
        ),
        None => run
            .subnet_id(subnet.as_str())
            .set_security_group_ids(groups)
            .set_private_ip_address(private_ip_address.clone()),
    };
    if let Some(root) = root_volume {
        let mapping = sdk::BlockDeviceMapping::builder().device_name(root_device(aws, image_id).await?);
        run = run.block_device_mappings(mapping.ebs(device(root)).build());
    }
    let profile = iam_instance_profile.as_ref();
    let InstanceMetadataOptions { http_tokens, http_put_response_hop_limit, http_endpoint, instance_metadata_tags } =
        metadata_options;
    let metadata = sdk::InstanceMetadataOptionsRequest::builder()
        .http_tokens(http_tokens.as_str().into())
        .set_http_put_response_hop_limit(http_put_response_hop_limit.map(|hops| hops.0))
        .set_http_endpoint(http_endpoint.as_deref().map(|word| word.as_str().into()))
        .set_instance_metadata_tags(instance_metadata_tags.as_deref().map(|word| word.as_str().into()));
    Ok(run
        .image_id(image_id)
        .instance_type(instance_type.as_str().into())
        .set_iam_instance_profile(
            profile.map(|arn| sdk::IamInstanceProfileSpecification::builder().arn(arn.as_str()).build()),
        )
        .set_key_name(key_name.clone())
        .set_user_data(user_data.as_ref().map(aws_smithy_types::base64::encode))
        .metadata_options(metadata.build())
        .set_ebs_optimized(*ebs_optimized)
        .set_monitoring(monitoring.map(|on| sdk::RunInstancesMonitoringEnabled::builder().enabled(on).build()))
        .set_disable_api_termination(disable_api_termination.map(|on| on.0)))
}

fn device(root: &RootVolume) -> sdk::EbsBlockDevice {
    let RootVolume { volume_size, volume_type, iops, throughput, encrypted, kms_key } = root;
    sdk::EbsBlockDevice::builder()
        .set_volume_size(volume_size.map(|n| n.0))
        .set_volume_type(volume_type.as_deref().map(|kind| kind.as_str().into()))
        .set_iops(iops.map(|n| n.0))
        .set_throughput(throughput.map(|n| n.0))
        .set_encrypted(encrypted.map(|on| on.0))
        .set_kms_key_id(kms_key.as_ref().map(|key| key.as_str().to_owned()))
        .delete_on_termination(true)
        .build()
}

/// Returns the name of an image's root device, under which a request describes the root volume.
async fn root_device(aws: &Aws, image: &str) -> Result<String> {
    let id = match image.strip_prefix(RESOLVE) {
        Some(parameter) => {
            let response = ssm(aws).get_parameter().name(parameter).send().await?;
            let value = response.parameter.and_then(|parameter| parameter.value);
            value.ok_or_else(|| Error::incomplete("ssm.GetParameter", "value"))?
        }
        None => image.to_owned(),
    };
    let response = ec2(aws).describe_images().image_ids(&id).send().await?;
    let device = response.images().first().and_then(|image| image.root_device_name.clone());
    device.ok_or_else(|| {
        Error::terminal(
            "ec2.DescribeImages",
            format!("the image {id} has no root device: leave out `rootVolume`, or choose another `imageId`"),
        )
    })
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
pub(super) async fn volumes(aws: &Aws, instances: &[&sdk::Instance]) -> Result<BTreeMap<String, sdk::Volume>> {
    let ids: Vec<String> = instances.iter().filter_map(|instance| root_of(instance)).map(str::to_owned).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let pages = ec2(aws).describe_volumes().filters(super::filter("volume-id", ids)).into_paginator().items().send();
    let volumes = all(pages).await?;
    Ok(volumes.into_iter().filter_map(|volume| Some((volume.volume_id.clone()?, volume))).collect())
}

/// Returns the call that changes the metadata options.
pub(super) fn metadata(
    aws: &Aws,
    id: &str,
    desired: &InstanceMetadataOptions,
) -> ModifyInstanceMetadataOptionsFluentBuilder {
    let InstanceMetadataOptions { http_tokens, http_put_response_hop_limit, http_endpoint, instance_metadata_tags } =
        desired;
    ec2(aws)
        .modify_instance_metadata_options()
        .instance_id(id)
        .http_tokens(http_tokens.as_str().into())
        .set_http_put_response_hop_limit(http_put_response_hop_limit.map(|hops| hops.0))
        .set_http_endpoint(http_endpoint.as_deref().map(|word| word.as_str().into()))
        .set_instance_metadata_tags(instance_metadata_tags.as_deref().map(|word| word.as_str().into()))
}

/// Returns the call that changes a volume. It contains only what differs, because the volume type decides which other
/// settings AWS accepts.
pub(super) fn volume(
    aws: &Aws,
    id: &str,
    live: Option<&RootVolume>,
    desired: &RootVolume,
) -> ModifyVolumeFluentBuilder {
    let RootVolume { volume_size: _, volume_type, iops: _, throughput: _, encrypted: _, kms_key: _ } = desired;
    let differs = |of: fn(&RootVolume) -> Option<ServerDefault<i32>>| {
        of(desired).filter(|n| live.and_then(of) != Some(*n)).map(|n| n.0)
    };
    let kind = volume_type.as_ref().filter(|kind| live.and_then(|live| live.volume_type.as_ref()) != Some(*kind));
    ec2(aws)
        .modify_volume()
        .volume_id(id)
        .set_size(differs(|v| v.volume_size))
        .set_volume_type(kind.map(|kind| kind.0.as_str().into()))
        .set_iops(differs(|v| v.iops))
        .set_throughput(differs(|v| v.throughput))
}

/// Associates another instance profile, or removes the association.
pub(super) async fn profile(aws: &Aws, id: &str, desired: Option<&Ref<InstanceProfile, Arn>>) -> Result<()> {
    let of = super::filter("instance-id", [id.to_owned()]);
    let response = ec2(aws).describe_iam_instance_profile_associations().filters(of).send().await?;
    let mut associations = response.iam_instance_profile_associations().iter();
    // A removed association is listed for a while.
    let is_current = |a: &&sdk::IamInstanceProfileAssociation| {
        !matches!(a.state.as_ref().map(|s| s.as_str()), Some("disassociating" | "disassociated"))
    };
    let association = associations.find(is_current).and_then(|a| a.association_id.clone());
    let desired = desired.map(|arn| sdk::IamInstanceProfileSpecification::builder().arn(arn.as_str()).build());
    match (association, desired) {
        (Some(association), Some(profile)) => {
            let replace = ec2(aws).replace_iam_instance_profile_association().association_id(association);
            replace.iam_instance_profile(profile).send().await?;
        }
        (Some(association), None) => {
            ec2(aws).disassociate_iam_instance_profile().association_id(association).send().await?;
        }
        (None, Some(profile)) => {
            ec2(aws).associate_iam_instance_profile().instance_id(id).iam_instance_profile(profile).send().await?;
        }
        (None, None) => {}
    }
    Ok(())
}

fn root_volume(volume: &sdk::Volume) -> RootVolume {
    RootVolume {
        volume_size: volume.size.map(ServerDefault),
        volume_type: volume.volume_type.as_ref().map(|kind| ServerDefault(kind.as_str().to_owned())),
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
    let tags = tags_of(instance.tags.as_deref());
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
        instance_type: instance.instance_type.as_ref().map(|kind| kind.as_str().to_owned()).unwrap_or_default(),
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
    // The state is kept so that the instance is observed after a change: the change may stop the instance, which takes
    // time.
    Ok(Live::new(id, name_of(&tags), spec, status).tags(tags).phase(phase).keep(state(instance).cloned()))
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
            assert_eq!(requested_tags(&live.spec).get(IMAGE).map(String::as_str), Some(requested));
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
