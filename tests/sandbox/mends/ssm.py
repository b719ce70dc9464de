"""Systems Manager: parameters."""
import re

from moto.core.responses import ActionResult
from moto.ssm.exceptions import SSMException, ValidationException
from moto.ssm.models import Parameter, SimpleSystemManagerBackend, parameter_arn
from moto.ssm.responses import SimpleSystemManagerResponse

from mends import mend


@mend(SimpleSystemManagerBackend)
def put_parameter(moto, self, name, description, value, parameter_type, allowed_pattern, keyid, overwrite, tags, data_type, tier, policies):
    """PutParameter: ParameterPatternMismatchException, "The parameter value doesn't match the allowed pattern".

    An advanced parameter cannot become a standard one. A String has no key.
    """
    previous = self._parameters[name][-1] if name in self._parameters and self._parameters[name] else None
    pattern = allowed_pattern if allowed_pattern is not None else previous and previous.allowed_pattern
    if pattern and value and not re.fullmatch(pattern, value):
        raise SSMException("ParameterPatternMismatchException", f"Parameter value, cannot be validated against allowedPattern: {pattern}")
    if previous and overwrite and previous.tier == "Advanced" and tier == "Standard":
        raise ValidationException("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the "
                                  "advanced-parameter tier to the standard-parameter tier.")
    if tier is None and previous is None:
        tier = "Standard"
    made = moto(name, description, value, parameter_type, allowed_pattern, keyid, overwrite, tags, data_type, tier, policies)
    if made.parameter_type != "SecureString":
        made.keyid = None
    made.region = self.region_name
    return made


@mend(Parameter)
def describe_response_object(moto, self, decrypt=False, include_labels=False):
    """ParameterMetadata has the ARN. No description contains the value."""
    shown = moto(decrypt, include_labels)
    if not include_labels:
        shown.pop("Value", None)
        shown["ARN"] = parameter_arn(self.account_id, getattr(self, "region", "us-east-1"), self.name)
    return shown


@mend(SimpleSystemManagerResponse)
def describe_parameters(moto, self):
    """DescribeParameters returns MaxResults parameters in a page: 10 by default, 50 at most."""
    size, start = int(self._get_param("MaxResults") or 10), int((self._get_param("NextToken") or "0").strip() or 0)
    if not 1 <= size <= 50:
        raise ValidationException(f"1 validation error detected: Value '{size}' at 'maxResults' failed to satisfy constraint")
    found = list(self.ssm_backend.describe_parameters(self._get_param("Filters"), self._get_param("ParameterFilters")))
    answer = {"Parameters": [p.describe_response_object(False) for p in found[start:start + size]]}
    if len(found) > start + size:
        answer["NextToken"] = str(start + size)
    return ActionResult(answer)
