#!/usr/bin/env python3
"""Writes botocore_v2.json: requests as botocore signs them with Signature Version 2 at a fixed time.

Run it with any recent botocore: python3 sign_v2.py > botocore_v2.json
"""
import base64
import gzip
import json
import time

import botocore.auth
import botocore.session
from botocore.config import Config

WHEN = 1795350896  # 2026-11-22 12:34:56 UTC.
botocore.auth.formatdate = lambda usegmt: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(WHEN))
botocore.auth.time = type("time", (), {"time": staticmethod(lambda: WHEN)})

# Differ from run to run, or tell about the machine.
UNSIGNED = ("user-agent", "amz-sdk-invocation-id", "amz-sdk-request")
out = []


class Sent(BaseException):
    """Ends a call once its request is recorded."""


def text(v):
    return v.decode("utf-8") if isinstance(v, bytes) else str(v)


def client(url="https://127.0.0.1:9000", style="path", version="s3", token=None):
    return botocore.session.Session().create_client(
        "s3", region_name="us-east-1", endpoint_url=url, aws_access_key_id="ASIATEMPORARY" if token else "AKIACAIRNEXAMPLE",
        aws_secret_access_key="cairn/secret+key", aws_session_token=token,
        config=Config(signature_version=version, s3={"addressing_style": style}))


VIRTUAL = ("https://s3.example.com", "virtual")
TOKEN = "token/with+odd==characters"


def record(name, url, method, headers, body):
    out.append({"name": name, "url": url, "method": method,
                "headers": [[k, text(v)] for k, v in headers if k.lower() not in UNSIGNED],
                "body": base64.b64encode(gzip.compress(body, mtime=0)).decode()})


def capture(name, c, call):
    def send(request, **kwargs):
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        record(name, request.url, request.method, request.headers.items(),
               body.encode() if isinstance(body, str) else body)
        raise Sent()

    c.meta.events.register_first("before-send.s3", send)
    try:
        call(c)
    except Sent:
        return
    raise AssertionError(name)


DATA = bytes(range(256)) * 4
ODD = "a b/+%2B//ü~*'()!@:;,=$&?#/../x/"
capture("get", client(), lambda c: c.get_object(Bucket="bucket", Key="dir/key", Range="bytes=0-9"))
capture("get odd key", client(), lambda c: c.get_object(Bucket="bucket", Key=ODD, VersionId="null"))
capture("get odd key virtual", client(*VIRTUAL), lambda c: c.get_object(
    Bucket="bucket", Key=ODD, VersionId="v+/=", ResponseContentType="text/plain; a=\"b c\"", ResponseContentDisposition="x&y"))
capture("list", client(), lambda c: c.list_objects_v2(Bucket="bucket", Prefix="a b/+ü", Delimiter="/", MaxKeys=7))
capture("list virtual", client(*VIRTUAL), lambda c: c.list_objects_v2(Bucket="bucket"))
capture("list versions", client(*VIRTUAL), lambda c: c.list_object_versions(Bucket="bucket", Prefix="p"))
capture("list buckets", client(), lambda c: c.list_buckets())
capture("acl", client(), lambda c: c.get_bucket_acl(Bucket="bucket"))
capture("put", client(), lambda c: c.put_object(
    Bucket="bucket", Key="k", Body=DATA, ContentType="text/plain", ACL="private", Metadata={"a": "1  2", "b": "x"}))
capture("put virtual, token", client(*VIRTUAL, token=TOKEN), lambda c: c.put_object(Bucket="bucket", Key="k", Body=DATA))
capture("create upload", client(), lambda c: c.create_multipart_upload(Bucket="bucket", Key="k", StorageClass="STANDARD_IA"))
capture("part", client(), lambda c: c.upload_part(Bucket="bucket", Key="k", UploadId="u+/=", PartNumber=7, Body=DATA))
capture("part copy", client(), lambda c: c.upload_part_copy(
    Bucket="bucket", Key="k", UploadId="u", PartNumber=7, CopySource={"Bucket": "b", "Key": "ü +?", "VersionId": "null"},
    CopySourceRange="bytes=0-9", SSECustomerKey="0" * 32, SSECustomerAlgorithm="AES256"))
capture("delete objects", client(), lambda c: c.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "a&b"}]}))
capture("complete", client(), lambda c: c.complete_multipart_upload(
    Bucket="bucket", Key="k", UploadId="u", MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"e"'}]}))
capture("restore", client(), lambda c: c.restore_object(Bucket="bucket", Key="k", VersionId="v", RestoreRequest={"Days": 1}))
for name, c, method, params in (
        # What `aws s3 presign` makes where no version of signatures is asked for.
        ("presigned get", client(version=None), "get_object", {"Bucket": "bucket", "Key": ODD, "ResponseContentType": "text/plain"}),
        ("presigned get virtual", client(*VIRTUAL), "get_object", {"Bucket": "bucket", "Key": "k", "VersionId": "v"}),
        ("presigned get, token", client(token=TOKEN), "get_object", {"Bucket": "bucket", "Key": "k"}),
        ("presigned list", client(), "list_objects", {"Bucket": "bucket", "Prefix": "p"}),
        ("presigned put", client(), "put_object", {"Bucket": "bucket", "Key": "k"}),
        ("presigned put, headers", client(), "put_object", {
            "Bucket": "bucket", "Key": "k", "ContentType": "text/plain", "ACL": "public-read", "Metadata": {"a": "b c"}}),
        ("presigned part copy", client(), "upload_part_copy", {
            "Bucket": "bucket", "Key": "k", "UploadId": "u", "PartNumber": 1, "CopySource": "b/ü k"})):
    url = c.generate_presigned_url(method, Params=params, ExpiresIn=600)
    record(name, url, "GET" if method.startswith(("get", "list")) else "PUT", [], b"")

print(json.dumps(out, indent=1, ensure_ascii=False))
