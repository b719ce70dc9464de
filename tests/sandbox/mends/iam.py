"""IAM: roles and policies."""
import functools
import json

from moto.iam import models
from moto.iam.models import AWSManagedPolicy, IAMBackend

from mends import mend


@functools.cache
def managed(account):
    """AWS's managed policies, read once: they are what they are, and reading them takes 0.2 s."""
    policies = json.loads(models.aws_managed_policies_data)
    return [AWSManagedPolicy.from_data(name, account, "aws", data) for name, data in policies.items()]


@mend(IAMBackend)
def _init_aws_policies(moto, self):
    """The same policies after every reset, attached to nothing; other partitions than aws have none here."""
    if self.region_name != "aws" or not models.load_iam_aws_managed_policies():
        return []
    for policy in managed(self.account_id):
        policy.attachment_count = 0
    return managed(self.account_id)
