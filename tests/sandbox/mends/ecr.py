"""ECR: repositories and images."""
import hashlib

from moto.core.resource_tagging import TaggableResourcesMixin
from moto.ecr.exceptions import InvalidParameterException
from moto.ecr.models import ECRBackend, Image
from moto.ecr.responses import ECRResponse

from mends import mend


@mend(Image)
def _create_digest(moto, self):
    """ImageDetail.imageDigest: "the sha256 digest of the image manifest". moto's digest is one of a hundred random
    values."""
    self._image_digest = "sha256:" + hashlib.sha256(self.image_manifest.encode()).hexdigest()


@mend(ECRResponse)
def describe_repositories(moto, self):
    """DescribeRepositories accepts up to 100 names."""
    if len(self._get_param("repositoryNames") or []) > 100:
        raise InvalidParameterException("Invalid parameter at 'repositoryNames' failed to satisfy constraint: 'at most 100 items'")
    return moto()


@mend(ECRBackend)
def put_image_scanning_configuration(moto, self, registry_id, repository_name, image_scan_config):
    """ImageScanningConfiguration.scanOnPush: "If this parameter is not specified, it will default to false".

    The Rust SDK omits a `false`, and moto treats an empty configuration as no change.
    """
    return moto(registry_id, repository_name, {"scanOnPush": False} | image_scan_config)


# The Resource Groups Tagging API returns repositories, but moto does not; see mends/tagging.py.
ECRBackend.SERVICE_NAMESPACE = "ecr"
ECRBackend.owns_arn = TaggableResourcesMixin.owns_arn
