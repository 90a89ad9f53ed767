#!/usr/bin/env python3
"""Writes botocore.json: requests as botocore signs them at a fixed time, bodies gzipped.

Run it with any recent botocore: python3 sign.py > botocore.json
"""
import base64
import datetime
import gzip
import io
import json

import botocore.auth
import botocore.httpchecksum
import botocore.session
from botocore.config import Config

WHEN = datetime.datetime(2026, 11, 22, 12, 34, 56)
botocore.auth.get_current_datetime = lambda *a, **k: WHEN


class Crc64Nvme(botocore.httpchecksum.BaseChecksum):
    def __init__(self):
        self.crc = 0xFFFFFFFFFFFFFFFF

    def update(self, chunk):
        for byte in chunk:
            self.crc ^= byte
            for _ in range(8):
                self.crc = self.crc >> 1 ^ (0x9A6C9329AC4BC9B5 if self.crc & 1 else 0)

    def digest(self):
        return (self.crc ^ 0xFFFFFFFFFFFFFFFF).to_bytes(8, "big")


botocore.httpchecksum._CHECKSUM_CLS["crc64nvme"] = Crc64Nvme
if "crc64nvme" not in botocore.httpchecksum._SUPPORTED_CHECKSUM_ALGORITHMS:
    botocore.httpchecksum._SUPPORTED_CHECKSUM_ALGORITHMS = list(
        botocore.httpchecksum._SUPPORTED_CHECKSUM_ALGORITHMS) + ["crc64nvme"]

# Differ from run to run, or tell about the machine.
UNSIGNED = ("user-agent", "amz-sdk-invocation-id", "amz-sdk-request")
out = []


class Sent(BaseException):
    """Ends a call once its request is recorded."""



def text(v):
    return v.decode("utf-8") if isinstance(v, bytes) else str(v)


def client(url="https://127.0.0.1:9000", style="path", region="us-east-1"):
    return botocore.session.Session().create_client(
        "s3", region_name=region, endpoint_url=url, aws_access_key_id="AKIACAIRNEXAMPLE",
        aws_secret_access_key="cairn/secret+key", config=Config(signature_version="s3v4", s3={"addressing_style": style}))


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


DATA = bytes(range(256)) * 40
capture("get", client(), lambda c: c.get_object(Bucket="bucket", Key="dir/key", Range="bytes=0-9"))
capture("get odd key", client(), lambda c: c.get_object(Bucket="bucket", Key="a b/+%2B//ü~*'()!@:;,=$&?#/../x/", VersionId="null"))
capture("list", client(), lambda c: c.list_objects_v2(Bucket="bucket", Prefix="a b/+ü", Delimiter="/", MaxKeys=7))
capture("list virtual", client("https://s3.example.com", "virtual"), lambda c: c.list_objects_v2(Bucket="bucket"))
capture("list buckets other region", client(region="eu-de"), lambda c: c.list_buckets())
capture("put empty", client(), lambda c: c.put_object(Bucket="bucket", Key="k"))
capture("put http", client("http://127.0.0.1:9000"), lambda c: c.put_object(
    Bucket="bucket", Key="k", Body=DATA, ContentType="text/plain", Metadata={"a": "1  2", "b": "x"}))
capture("put trailer crc32", client(), lambda c: c.put_object(Bucket="bucket", Key="k", Body=DATA, ChecksumAlgorithm="CRC32"))
capture("put trailer crc32 stream", client(), lambda c: c.put_object(
    Bucket="bucket", Key="k", Body=io.BytesIO(DATA * 150), ContentEncoding="gzip"))
capture("put trailer sha256", client(), lambda c: c.put_object(Bucket="bucket", Key="k", Body=DATA, ChecksumAlgorithm="SHA256"))
capture("part trailer crc64nvme", client(), lambda c: c.upload_part(
    Bucket="bucket", Key="k", UploadId="u+/=", PartNumber=7, Body=DATA, ChecksumAlgorithm="CRC64NVME"))
capture("part copy", client(), lambda c: c.upload_part_copy(
    Bucket="bucket", Key="k", UploadId="u", PartNumber=7, CopySource={"Bucket": "b", "Key": "ü +?", "VersionId": "null"},
    CopySourceRange="bytes=0-9", SSECustomerKey="0" * 32, SSECustomerAlgorithm="AES256"))
capture("delete objects", client(), lambda c: c.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": "a&b"}]}))
capture("complete", client(), lambda c: c.complete_multipart_upload(
    Bucket="bucket", Key="k", UploadId="u", MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"e"'}]}))
for name, method, params in (
        ("presigned get", "get_object", {"Bucket": "bucket", "Key": "a b+ü", "ResponseContentType": "text/plain"}),
        ("presigned put", "put_object", {"Bucket": "bucket", "Key": "k"})):
    url = client().generate_presigned_url(method, Params=params, ExpiresIn=600)
    record(name, url, "GET" if method == "get_object" else "PUT", [], b"" if method == "get_object" else DATA[:100])

print(json.dumps(out, indent=1, ensure_ascii=False))
