"""IAM: roles and policies."""
import functools
import json

from moto.core.responses import ActionResult
from moto.core.serialize import url_encode
from moto.iam import models
from moto.iam.models import AWSManagedPolicy, IAMBackend
from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator
from moto.iam.responses import IamResponse

from mends import mend


@functools.cache
def managed(account):
    """Returns AWS's managed policies. They never change, so they are read only once; reading them takes 0.2 s."""
    policies = json.loads(models.aws_managed_policies_data)
    return [AWSManagedPolicy.from_data(name, account, "aws", data) for name, data in policies.items()]


@mend(IAMBackend)
def _init_aws_policies(moto, self):
    """Restores the same managed policies after every reset, attached to no entity. Partitions other than aws have none
    in the sandbox."""
    if self.region_name != "aws" or not models.load_iam_aws_managed_policies():
        return []
    for policy in managed(self.account_id):
        policy.attachment_count = 0
    return managed(self.account_id)


for path in ("ListRolesResponse.Roles.Role", "GetAccountAuthorizationDetailsResponse.RoleDetailList.RoleDetail",
             # Role: "The policy document is URL-encoded JSON", in every answer.
             "UpdateRoleDescriptionResponse.Role"):
    IamResponse.RESPONSE_KEY_PATH_TO_TRANSFORMER[f"{path}.AssumeRolePolicyDocument"] = url_encode


@mend(IAMBackend)
def create_role(moto, self, role_name, assume_role_policy_document, *args, **kwargs):
    """CreateRole: a trust policy with invalid syntax gives MalformedPolicyDocument."""
    IAMTrustPolicyDocumentValidator(assume_role_policy_document).validate()
    return moto(role_name, assume_role_policy_document, *args, **kwargs)


@mend(IAMBackend)
def update_role(moto, self, role_name, role_description, max_session_duration):
    """UpdateRole keeps the fields that are not given."""
    role = self.get_role(role_name)
    return moto(role_name, role.description if role_description is None else role_description, max_session_duration or role.max_session_duration)


@mend(IAMBackend)
def attach_role_policy(moto, self, policy_arn, role_name):
    """AttachRolePolicy for an attached policy changes nothing: Policy.AttachmentCount counts entities."""
    if policy_arn not in self.get_role(role_name).managed_policies:
        moto(policy_arn, role_name)


@mend(IamResponse)
def get_account_authorization_details(moto, self):
    """GetAccountAuthorizationDetails returns pages of 100 items, or of MaxItems, with IsTruncated and Marker."""
    lists = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    result = {name: list(value) for name, value in moto().result.items() if name in lists}
    start, size = int(self._get_param("Marker") or 0), int(self._get_param("MaxItems") or 100)
    everything = [(name, item) for name in lists for item in result[name]]
    shown, more = everything[start:start + size], start + size < len(everything)
    return ActionResult({**{name: [item for kind, item in shown if kind == name] for name in lists},
                         "IsTruncated": more, "Marker": str(start + size) if more else None})
