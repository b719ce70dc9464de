"""ECR: repositories and images."""
import hashlib

from moto.core.resource_tagging import TaggableResourcesMixin
from moto.ecr.exceptions import InvalidParameterException
from moto.ecr.models import ECRBackend, Image
from moto.ecr.responses import ECRResponse

from mends import mend


@mend(Image)
def _create_digest(moto, self):
    """ImageDetail.imageDigest: "the sha256 digest of the image manifest"; moto's is one of a hundred."""
    self._image_digest = "sha256:" + hashlib.sha256(self.image_manifest.encode()).hexdigest()


@mend(ECRResponse)
def describe_repositories(moto, self):
    """DescribeRepositories: up to 100 names."""
    if len(self._get_param("repositoryNames") or []) > 100:
        raise InvalidParameterException("Invalid parameter at 'repositoryNames' failed to satisfy constraint: 'at most 100 items'")
    return moto()


# the Resource Groups Tagging API knows repositories, moto does not; see mends/tagging.py
ECRBackend.SERVICE_NAMESPACE = "ecr"
ECRBackend.owns_arn = TaggableResourcesMixin.owns_arn
