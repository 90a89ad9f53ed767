"""boto3 turns the access log of a bucket on, does requests that succeed and fail, and
reads what was logged; the environment says where and who."""

import os
import re
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

env = os.environ
endpoints = env["ENDPOINTS"].split(",")
source, target = env["SOURCE"], env["TARGET"]
plain = {"s3": {"addressing_style": "path"}, "user_agent_extra": 'quoted "agent"'}
clients = [boto3.client("s3", endpoint_url=e, config=Config(**plain)) for e in endpoints]
s3 = clients[0]

s3.create_bucket(Bucket=source)
s3.create_bucket(Bucket=target)
status = {"LoggingEnabled": {"TargetBucket": target, "TargetPrefix": "logs/"}}
try:
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus=status)
    raise AssertionError("the target lets nobody in")
except ClientError as e:
    assert e.response["Error"]["Code"] == "InvalidTargetBucketForLogging", e
s3.put_bucket_acl(Bucket=target, ACL="log-delivery-write")
s3.put_bucket_logging(Bucket=source, BucketLoggingStatus=status)
assert s3.get_bucket_logging(Bucket=source)["LoggingEnabled"] == status["LoggingEnabled"]

expected = {}  # Operation, key and status by request id.


def note(answer, operation, key):
    meta = answer["ResponseMetadata"]
    expected[meta["RequestId"]] = (operation, key, str(meta["HTTPStatusCode"]))


for i, c in enumerate(clients):
    key = "key %d" % i
    note(c.put_object(Bucket=source, Key=key, Body=b"x" * i), "REST.PUT.OBJECT", "key%20" + str(i))
    answer = c.get_object(Bucket=source, Key=key)
    answer["Body"].read()
    note(answer, "REST.GET.OBJECT", "key%20" + str(i))
    try:
        c.get_object(Bucket=source, Key="none")
        raise AssertionError("there is no such key")
    except ClientError as e:
        note(e.response, "REST.GET.OBJECT", "none")
    note(c.list_objects_v2(Bucket=source), "REST.GET.BUCKET", "-")
note(s3.delete_objects(Bucket=source, Delete={"Objects": [{"Key": "key 0"}]}), "REST.POST.MULTI_OBJECT_DELETE", "-")

field = re.compile(r'"[^"]*"|\[[^\]]*\]|[^ "\[\]]+')
seen = {}
deadline = time.time() + 120
while set(expected) - set(seen):
    assert time.time() < deadline, "not logged: %s" % [expected[i] for i in set(expected) - set(seen)]
    time.sleep(0.5)
    for o in s3.list_objects_v2(Bucket=target).get("Contents", []):
        assert re.fullmatch(r"logs/\d{4}(-\d\d){5}-[0-9A-F]{16}", o["Key"]), o["Key"]
        text = s3.get_object(Bucket=target, Key=o["Key"])["Body"].read().decode("ascii")
        assert text.endswith("\n"), text
        for line in text.splitlines():
            fields = field.findall(line)
            assert len(fields) == 26, line
            assert fields[1] == source and env["AWS_SECRET_ACCESS_KEY"] not in line, line
            if fields[6] != "BATCH.DELETE.OBJECT":
                seen[fields[5]] = fields
for i, (operation, key, code) in expected.items():
    got = seen[i]
    assert (got[6], got[7], got[9]) == (operation, key, code), (got, expected[i])
    assert got[19] == "SigV4" and got[21] == "AuthHeader" and "%22agent%22" in got[16], got
print("%d requests logged" % len(seen))
