"""IAM: instance profiles."""
from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse


def list_instance_profile_tags(self):
    """ListInstanceProfileTags: "the tags that are attached to the specified IAM instance profile"."""
    profile = self.backend.get_instance_profile(self._get_param("InstanceProfileName"))
    tags = profile.tags
    pairs = [{"Key": k, "Value": v} for k, v in tags.items()] if isinstance(tags, dict) else list(tags)
    return ActionResult({"Tags": pairs, "IsTruncated": False})


IamResponse.list_instance_profile_tags = list_instance_profile_tags
