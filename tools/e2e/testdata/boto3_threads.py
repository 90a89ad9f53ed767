"""boto3's transfer manager with threads: uploads files, downloads them again and
compares. argv is the endpoint, the bucket and a directory of files."""

import concurrent.futures
import hashlib
import os
import sys

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

endpoint, bucket, directory = sys.argv[1:]
# The retries that AWS recommends; the default mode gives up on a reset connection sooner.
s3 = boto3.client("s3", endpoint_url=endpoint, config=Config(retries={"mode": "standard", "max_attempts": 10}))
transfer = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20, max_concurrency=6)


def digest(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


def both_ways(path):
    key = "threads/" + os.path.relpath(path, directory)
    s3.upload_file(path, bucket, key, Config=transfer)
    back = path + ".back"
    s3.download_file(bucket, key, back, Config=transfer)
    assert digest(path) == digest(back), key
    os.remove(back)


paths = [os.path.join(d, f) for d, _, files in os.walk(directory) for f in files]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    list(pool.map(both_ways, paths))
print(len(paths), "files both ways")
