"""Systems Manager behaves as its API Reference documents it."""
from conftest import refused, tags


def test_parameter_value_must_match_the_allowed_pattern(aws):
    """PutParameter: tags for a new parameter only, AllowedPattern, the tier. DescribeParameters returns the ARN and no
    value."""
    ssm = aws("ssm")
    ssm.put_parameter(Name="/a", Value="v1", Type="String", AllowedPattern="v[0-9]", Tags=tags(a="b"))
    refused("ParameterAlreadyExists", ssm.put_parameter, Name="/a", Value="v2", Type="String")
    refused("ParameterPatternMismatchException", ssm.put_parameter, Name="/a", Value="w", Type="String", Overwrite=True)
    refused("ValidationException", ssm.put_parameter, Name="/a", Value="v2", Type="String", Overwrite=True, Tags=tags(a="b"))
    assert ssm.put_parameter(Name="/a", Value="v2", Type="String", Tier="Advanced", Overwrite=True)["Version"] == 2
    refused("ValidationException", ssm.put_parameter, Name="/a", Value="v2", Type="String", Tier="Standard", Overwrite=True)
    shown = ssm.describe_parameters()["Parameters"][0]
    assert (shown["ARN"], shown["Tier"]) == ("arn:aws:ssm:us-east-1:123456789012:parameter/a", "Advanced")
    assert "Value" not in shown and "KeyId" not in shown


def test_describe_parameters_returns_at_most_50_parameters_a_page(aws):
    """DescribeParameters: MaxResults is at most 50."""
    ssm = aws("ssm")
    for n in range(12):
        ssm.put_parameter(Name=f"/p{n}", Value="v", Type="SecureString")
    first = ssm.describe_parameters(MaxResults=5)
    assert len(first["Parameters"]) == 5 and first["Parameters"][0]["KeyId"] == "alias/aws/ssm"
    assert len(ssm.describe_parameters(MaxResults=50)["Parameters"]) == 12
    assert len(ssm.describe_parameters(MaxResults=50, NextToken=first["NextToken"])["Parameters"]) == 7
    refused("ValidationException", ssm.describe_parameters, MaxResults=60)
