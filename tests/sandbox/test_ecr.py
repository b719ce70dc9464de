"""ECR behaves as its API Reference documents it."""
import json

from conftest import refused, tags

MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json", "config": {"digest": "sha256:%s"}})


def test_repository_settings_can_be_changed(aws):
    ecr = aws("ecr")
    made = ecr.create_repository(repositoryName="team/app", imageScanningConfiguration={"scanOnPush": True}, imageTagMutability="IMMUTABLE",
                                 tags=tags(a="b"))["repository"]
    refused("RepositoryAlreadyExistsException", ecr.create_repository, repositoryName="team/app")
    assert made["repositoryUri"] == "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app"
    assert made["encryptionConfiguration"] == {"encryptionType": "AES256"}
    assert (made["imageTagMutability"], made["imageScanningConfiguration"]) == ("IMMUTABLE", {"scanOnPush": True})
    ecr.put_image_tag_mutability(repositoryName="team/app", imageTagMutability="MUTABLE")
    ecr.put_image_scanning_configuration(repositoryName="team/app", imageScanningConfiguration={"scanOnPush": False})
    shown = ecr.describe_repositories(repositoryNames=["team/app"])["repositories"][0]
    assert (shown["imageTagMutability"], shown["imageScanningConfiguration"]) == ("MUTABLE", {"scanOnPush": False})
    ecr.put_image_scanning_configuration(repositoryName="team/app", imageScanningConfiguration={"scanOnPush": True})
    ecr.put_image_scanning_configuration(repositoryName="team/app", imageScanningConfiguration={})
    assert ecr.describe_repositories(repositoryNames=["team/app"])["repositories"][0]["imageScanningConfiguration"] == {"scanOnPush": False}
    arn = made["repositoryArn"]
    ecr.tag_resource(resourceArn=arn, tags=tags(c="d"))
    ecr.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == tags(c="d")
    refused("LifecyclePolicyNotFoundException", ecr.get_lifecycle_policy, repositoryName="team/app")
    policy = json.dumps({"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 5},
                                    "action": {"type": "expire"}}]})
    ecr.put_lifecycle_policy(repositoryName="team/app", lifecyclePolicyText=policy)
    assert json.loads(ecr.get_lifecycle_policy(repositoryName="team/app")["lifecyclePolicyText"]) == json.loads(policy)
    ecr.delete_lifecycle_policy(repositoryName="team/app")
    refused("RepositoryNotFoundException", ecr.describe_repositories, repositoryNames=["none"])


def test_repository_with_images_is_deleted_only_with_force(aws):
    """DeleteRepository: "If it contains images, you must either delete all images in the repository or use the force
    option"."""
    ecr = aws("ecr")
    ecr.create_repository(repositoryName="app")
    for tag in ("v1", "v2"):
        ecr.put_image(repositoryName="app", imageManifest=MANIFEST % tag, imageTag=tag)
    shown = ecr.describe_images(repositoryName="app")["imageDetails"]
    assert len({i["imageDigest"] for i in shown}) == 2 and sorted(t for i in shown for t in i["imageTags"]) == ["v1", "v2"]
    assert ecr.describe_images(repositoryName="app", imageIds=[{"imageTag": "v1"}])["imageDetails"][0]["imagePushedAt"]
    refused("ImageNotFoundException", ecr.describe_images, repositoryName="app", imageIds=[{"imageTag": "v3"}])
    refused("RepositoryNotEmptyException", ecr.delete_repository, repositoryName="app")
    ecr.delete_repository(repositoryName="app", force=True)
