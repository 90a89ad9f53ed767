"""Meets every error of a list with boto3: argv is the endpoint, and the list as
JSON. A key's name is the error that the endpoint answers."""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, errors = sys.argv[1], json.load(open(sys.argv[2]))
s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b",
                  config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))
classes = 0
for want in errors:
    try:
        s3.get_object(Bucket="bucket", Key=want["Code"])
        raise SystemExit(want["Code"] + ": no exception")
    except ClientError as e:
        got = e.response
        assert got["Error"]["Code"] == want["Code"], (want, got)
        assert got["Error"]["Message"] == want["Message"], (want, got)
        assert got["ResponseMetadata"]["HTTPStatusCode"] == want["Status"], (want, got)
        known = getattr(s3.exceptions, want["Code"]) if hasattr(s3.exceptions, want["Code"]) else None
        if known:
            assert type(e) is known, (want, type(e))
            classes += 1
        else:
            assert type(e) is ClientError, (want, type(e))
assert classes >= 5, classes
print(f"{len(errors)} errors, {classes} of them with a class of their own")
