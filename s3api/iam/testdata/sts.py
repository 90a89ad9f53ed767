"""Walks STS with boto3 and prints what it understood, as JSON."""
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, access_key, secret, account = sys.argv[1:5]


def client(key, secret, token=None):
    return boto3.client(
        "sts", endpoint_url=endpoint, region_name="eu-de", aws_access_key_id=key,
        aws_secret_access_key=secret, aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}))


def fails(call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        error = e.response["Error"]
        return {"code": error["Code"], "type": error.get("Type"), "message": error["Message"],
                "status": e.response["ResponseMetadata"]["HTTPStatusCode"],
                "id": len(e.response["ResponseMetadata"]["RequestId"])}
    return {"code": "none"}


def of_session(answer):
    c = answer["Credentials"]
    return client(c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])


own = client(access_key, secret)
role = f"arn:aws:iam::{account}:role/reader"
policy = json.dumps({"Version": "2012-10-17", "Statement": [{
    "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/ä&<*"}]}, ensure_ascii=False)

session = own.get_session_token(DurationSeconds=900)
assumed = own.assume_role(RoleArn=role, RoleSessionName="first", Policy=policy, DurationSeconds=1800, ExternalId="external")
stolen = dict(session["Credentials"])
print(json.dumps({
    "own": {k: v for k, v in own.get_caller_identity().items() if k != "ResponseMetadata"},
    "session": of_session(session).get_caller_identity()["Arn"],
    "session key": session["Credentials"]["AccessKeyId"][:4],
    "assumed user": assumed["AssumedRoleUser"],
    "assumed": of_session(assumed).get_caller_identity()["Arn"],
    "seconds": round(assumed["Credentials"]["Expiration"].timestamp() - session["Credentials"]["Expiration"].timestamp()),
    "packed": assumed["PackedPolicySize"],
    "errors": {
        "session in a session": fails(of_session(session).get_session_token),
        "wrong secret": fails(client(access_key, "wrong").get_caller_identity),
        "unknown key": fails(client("AKIANOBODY", secret).get_caller_identity),
        "no token": fails(client(stolen["AccessKeyId"], stolen["SecretAccessKey"]).get_caller_identity),
        "wrong token": fails(client(stolen["AccessKeyId"], stolen["SecretAccessKey"], "token").get_caller_identity),
        "too long": fails(own.assume_role, RoleArn=role, RoleSessionName="first", DurationSeconds=43200),
        "no such role": fails(own.assume_role, RoleArn=role + "x", RoleSessionName="first"),
        "policy": fails(own.assume_role, RoleArn=role, RoleSessionName="first", Policy='{"Statement": 1}'),
        "large policy": fails(own.assume_role, RoleArn=role, RoleSessionName="first", Policy=json.dumps({
            "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::b/" + c * 1000 for c in "abc"]}]})),
        "tags": fails(own.assume_role, RoleArn=role, RoleSessionName="first", Tags=[{"Key": "a", "Value": "b"}]),
        "other action": fails(own.get_federation_token, Name="name"),
    },
}))
