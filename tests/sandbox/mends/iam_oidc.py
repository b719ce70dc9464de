"""IAM: OpenID Connect (OIDC) providers, and the versions of managed policies."""
import hashlib

from moto.core.responses import EmptyResult
from moto.iam.exceptions import DeleteConflictException, LimitExceededException
from moto.iam.models import IAMBackend, ManagedPolicy
from moto.iam.responses import IamResponse

from mends import mend


@mend(IAMBackend)
def create_open_id_connect_provider(moto, self, url, thumbprint_list, *args, **kwargs):
    """CreateOpenIDConnectProvider, ThumbprintList: "This parameter is optional. If it is not included, IAM will
    retrieve and use the top intermediate certificate authority (CA) thumbprint of the OpenID Connect identity provider
    server certificate"."""
    return moto(url, thumbprint_list or [hashlib.sha1(url.encode()).hexdigest()], *args, **kwargs)


def provider(response):
    found = response.backend.get_open_id_connect_provider(response._get_param("OpenIDConnectProviderArn"))
    return found, response._get_param("ClientID")


@mend(IamResponse)
def add_client_id_to_open_id_connect_provider(moto, self):
    """AddClientIDToOpenIDConnectProvider: "This operation is idempotent; it does not fail or return an error if you add
    an existing client ID to the provider". A provider has at most 100 client IDs."""
    found, client = provider(self)
    if client not in found.client_id_list:
        if len(found.client_id_list) >= 100:
            raise LimitExceededException("Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100")
        found.client_id_list.append(client)
    return EmptyResult()


@mend(IamResponse)
def remove_client_id_from_open_id_connect_provider(moto, self):
    """RemoveClientIDFromOpenIDConnectProvider: "it does not fail or return an error if you try to remove a client ID
    that does not exist"."""
    found, client = provider(self)
    found.client_id_list[:] = [one for one in found.client_id_list if one != client]
    return EmptyResult()


# ManagedPolicyDetail, in the answer of GetAccountAuthorizationDetails, has PolicyName and PolicyId.
ManagedPolicy.policy_name = property(lambda self: self.name)
ManagedPolicy.policy_id = property(lambda self: self.id)


@mend(IAMBackend)
def delete_policy(moto, self, policy_arn):
    """DeletePolicy: a policy that is attached, or has versions other than the default, gives DeleteConflict."""
    policy = self.get_policy(policy_arn)
    if policy.attachment_count > 0:
        raise DeleteConflictException("Cannot delete a policy attached to entities.")
    if len(policy.versions) > 1:
        raise DeleteConflictException("This policy has more than one version. Before you delete a policy, you must delete the policy's versions.")
    return moto(policy_arn)
