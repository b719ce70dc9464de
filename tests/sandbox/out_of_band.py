#!/usr/bin/env python3
"""Makes out-of-band changes in the sandbox: boto3 behind JSON lines, for tests that are not written in Python.

Each line `{"service": "ec2", "operation": "modify_vpc_attribute", "parameters": {...}, "region": "us-east-1"}` on
standard input is answered by one line on standard output: `{"ok": result}` or `{"error": {"code", "message"}}`. The
endpoint is AWS_ENDPOINT_URL. The credentials are dummies. Times are ISO strings, and bytes are base64.
"""
import base64
import datetime
import functools
import json
import os
import sys

import boto3
import botocore.exceptions
from botocore.config import Config


@functools.cache
def client(service, region):
    return boto3.client(service, region_name=region, endpoint_url=os.environ["AWS_ENDPOINT_URL"], aws_access_key_id="out-of-band",
                        aws_secret_access_key="out-of-band", config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))


def plain(value):
    """Converts values that JSON cannot represent."""
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.read().decode("utf-8", "replace") if hasattr(value, "read") else str(value)


def answer(line):
    try:
        request = json.loads(line)
        call = getattr(client(request["service"], request.get("region", "us-east-1")), request["operation"])
        result = call(**request.get("parameters", {}))
        result.pop("ResponseMetadata", None)
        return {"ok": result}
    except botocore.exceptions.ClientError as refused:
        error = refused.response["Error"]
        return {"error": {"code": error.get("Code", ""), "message": error.get("Message", "")}}
    except Exception as wrong:
        # A malformed request, an unknown operation, no connection: the test must receive the error.
        return {"error": {"code": type(wrong).__name__, "message": str(wrong)}}


if __name__ == "__main__":
    for line in sys.stdin:
        if line.strip():
            print(json.dumps(answer(line), default=plain), flush=True)
