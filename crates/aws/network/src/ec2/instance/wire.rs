//! The requests of an Instance: EC2 takes the fields in more than one call.

use aws_sdk_ec2::operation::modify_instance_metadata_options::builders::ModifyInstanceMetadataOptionsFluentBuilder;
use aws_sdk_ec2::operation::modify_volume::builders::ModifyVolumeFluentBuilder;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types as sdk;
use holdfast_base::client::Aws;
use holdfast_base::error::{Error, Result};
use holdfast_base::names::InstanceProfile;
use holdfast_base::sdk::texts;
use holdfast_base::tagging::Tags;
use holdfast_core::types::{Arn, Ref, ServerDefault};

use super::spec::{Instance, InstanceMetadataOptions, RootVolume};
use crate::ec2::{ec2, filter, ssm};

/// The prefix of an image that an SSM parameter names.
const RESOLVE: &str = "resolve:ssm:";

/// The tags that record requested values which AWS does not return. They are no [`Kind::FIELD_TAGS`]: the image is
/// recorded only if a parameter names it, and a public address of `false` is recorded too.
///
/// [`Kind::FIELD_TAGS`]: holdfast_base::kind::Kind::FIELD_TAGS
pub(super) const IMAGE: &str = "holdfast:requested/imageId";
pub(super) const PUBLIC: &str = "holdfast:requested/associatePublicIpAddress";

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
    let groups = security_groups.as_ref().map(texts);
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
        .set_kms_key_id(kms_key.clone().map(|key| key.0.into()))
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
    let of = filter("instance-id", [id.to_owned()]);
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
