"""boto3 at ordinary work, with one kind of signature; each step leaves an object
that the test reads. The environment says where and who."""

import os
import socket
import urllib.parse
import urllib.request
import ssl

import boto3
from botocore.config import Config

env = os.environ
endpoint, bucket, source, odd, host = (env[k] for k in ("ENDPOINT", "BUCKET", "SOURCE", "ODD_KEY", "HOST"))
body = open(env["ODD_FILE"], "rb").read()

if host:  # The names of buckets under it lead to loopback, as DNS would have it.
    resolve = socket.getaddrinfo

    def getaddrinfo(name, *args, **kwargs):
        return resolve("127.0.0.1" if str(name).endswith(host) else name, *args, **kwargs)

    socket.getaddrinfo = getaddrinfo

config = Config(signature_version=env["SIGNATURE"]) if env["SIGNATURE"] else None
s3 = boto3.client("s3", endpoint_url=endpoint, verify=env["AWS_CA_BUNDLE"], config=config)


def fetch(method, url, headers=None, data=None):
    context = ssl.create_default_context(cafile=env["AWS_CA_BUNDLE"])
    request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
    with urllib.request.urlopen(request, context=context) as answer:
        return answer.read(), answer.headers


s3.create_bucket(Bucket=bucket)
assert bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]]

s3.put_object(Bucket=bucket, Key="put/" + odd, Body=body)
assert s3.get_object(Bucket=bucket, Key="put/" + odd)["Body"].read() == body
s3.upload_file(env["ODD_FILE"], bucket, "uploaded/" + odd)  # 17 MiB: in parts.

s3.copy_object(Bucket=bucket, Key="copied/" + odd, CopySource={"Bucket": source, "Key": odd})
s3.copy({"Bucket": source, "Key": odd}, bucket, "managed/" + odd)  # In copied parts.
s3.copy({"Bucket": source, "Key": "big"}, bucket, "big")

# Parts by presigned URLs alone: a copy of a range, and bytes.
key = "parts/" + odd
upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
part = {"Bucket": bucket, "Key": key, "UploadId": upload}
cut = 6 << 20
copy = {"CopySource": {"Bucket": source, "Key": odd}, "CopySourceRange": "bytes=0-%d" % (cut - 1)}
url = s3.generate_presigned_url("upload_part_copy", Params={**part, **copy, "PartNumber": 1}, HttpMethod="PUT")
answer, _ = fetch("PUT", url, {
    "x-amz-copy-source": source + "/" + urllib.parse.quote(odd, safe="/~"),
    "x-amz-copy-source-range": copy["CopySourceRange"],
})
tags = [answer.decode().split("<ETag>")[1].split("</ETag>")[0].replace("&#34;", '"').replace("&quot;", '"')]
url = s3.generate_presigned_url("upload_part", Params={**part, "PartNumber": 2})
_, headers = fetch("PUT", url, {"Content-Type": ""}, body[cut:])
tags.append(headers["ETag"])
s3.complete_multipart_upload(**part, MultipartUpload={
    "Parts": [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]})

url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "presigned/" + odd})
fetch("PUT", url, {"Content-Type": ""}, body)
url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "presigned/" + odd})
assert fetch("GET", url)[0] == body

keys = [o["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for o in page["Contents"]]
assert sorted(keys) == sorted(["big"] + [p + odd for p in ("put/", "uploaded/", "copied/", "managed/", "parts/", "presigned/")]), keys
