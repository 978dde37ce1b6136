"""What is told of uploads, as it was captured or is documented: AWS, moto, MinIO, Ceph, SeaweedFS, EventBridge, R2."""

import copy
import json
from typing import Any

AWS: dict[str, Any] = {
    "Records": [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-west-2",
            "eventTime": "1970-01-01T00:00:00.000Z",
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "AIDAJDPLRKLG7UEXAMPLE"},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "testConfigRule",
                "bucket": {
                    "name": "mybucket",
                    "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                    "arn": "arn:aws:s3:::mybucket",
                },
                "object": {
                    "key": "HappyFace.jpg",
                    "size": 1024,
                    "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                    "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
                    "sequencer": "0055AED6DCD90281E5",
                },
            },
        }
    ]
}
AWS_TEST = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2026-11-21T19:14:50.803Z",
    "Bucket": "updemo",
}
MOTO: dict[str, Any] = json.loads(
    '{"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": '
    '"2026-11-21T19:14:50.812Z", "eventName": "ObjectCreated:Put", "s3": {"s3SchemaVersion": "1.0", "configurationId": '
    '"cfg1", "bucket": {"name": "updemo", "arn": "arn:aws:s3:::updemo"}, "object": {"key": '
    '"images%2Fa+b%2B%C3%BC.png", "size": 3, "eTag": "202cb962ac59075b964b07152d234b70"}}}]}'
)
EVENTBRIDGE: dict[str, Any] = json.loads(
    '{"version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103", "detail-type": "Object Created", "source": '
    '"aws.s3", "account": "123456789012", "time": "2026-11-21T19:14:53Z", "region": "us-east-1", "resources": '
    '["arn:aws:s3:::updemo"], "detail": {"version": "0", "bucket": {"name": "updemo"}, "object": {"key": "images/z.png"'
    ', "size": 3, "eTag": "202cb962ac59075b964b07152d234b70", "version-id": "null", "sequencer": "617f08299329d189"}, '
    '"request-id": "N4N7GDK58NMKJ12R", "requester": "123456789012", "source-ip-address": "1.2.3.4", "reason": '
    '"ObjectCreated"}}'
)
SEAWEEDFS: dict[str, Any] = json.loads(
    '{"event_type":"create","key":"/buckets/uploads/images/a b+ü.png","message":{"new_entry":{"name":"a b+ü.png",'
    '"chunks":[{"size":7,"modified_ts_ns":1795288185318679608,"e_tag":"rHfGK54JQ4vKPMBn5gJkBQ==","fid":{"volume_id":3,'
    '"file_key":1,"cookie":3269353862}}],"attributes":{"file_size":7,"mtime":1795288185,"file_mode":432,"crtime":'
    '1795288185,"mime":"image/png","md5":"rHfGK54JQ4vKPMBn5gJkBQ==","inode":4155122176683582761,"ctime":1795288185,'
    '"atime":1795288185},"extended":{"Seaweed-X-Amz-ETag":"YWM3N2M2MmI5ZTA5NDM4YmNhM2NjMDY3ZTYwMjY0MDU=",'
    '"Seaweed-X-Amz-Owner":"dA==","X-Amz-Meta-Who":"bWU=","x-seaweedfs-checksum-algorithm":"WC1BbXotQ2hlY2tzdW0tQ3JjMzI='
    '","x-seaweedfs-checksum-value":"R21WRXhBPT0="}},"delete_chunks":true,"new_parent_path":"/buckets/uploads/images",'
    '"signatures":[48845255]}}'
)
MINIO: dict[str, Any] = {
    "EventName": "s3:ObjectCreated:Put",
    "Key": "images/2026/a b.png",
    "Records": [
        {
            "eventVersion": "2.0",
            "eventSource": "minio:s3",
            "awsRegion": "",
            "eventTime": "2026-11-21T19:14:51.900Z",
            "eventName": "s3:ObjectCreated:Put",
            "userIdentity": {"principalId": "minioadmin"},
            "requestParameters": {"principalId": "minioadmin", "region": "", "sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": "17F", "x-minio-origin-endpoint": "http://127.0.0.1:9000"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "Config",
                "bucket": {
                    "name": "images",
                    "ownerIdentity": {"principalId": "minioadmin"},
                    "arn": "arn:aws:s3:::images",
                },
                "object": {
                    "key": "2026%2Fa+b.png",
                    "size": 7,
                    "eTag": "ac77c62b9e09438bca3cc067e6026405",
                    "contentType": "image/png",
                    "userMetadata": {"content-type": "image/png", "X-Amz-Meta-Who": "me"},
                    "sequencer": f"{1795288490123456789:X}",
                },
            },
            "source": {"host": "127.0.0.1", "port": "", "userAgent": "MinIO (linux; amd64) minio-go/v7"},
        }
    ],
}
CEPH: dict[str, Any] = {
    "Records": [
        {
            "eventVersion": "2.2",
            "eventSource": "ceph:s3",
            "awsRegion": "",
            "eventTime": "2026-11-21T19:14:51.900871Z",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "s3SchemaVersion": "1.0",
                "bucket": {"name": "fish", "arn": "arn:aws:s3:::fish", "id": "503a4c37-85eb.4743.1"},
                "object": {
                    "key": "cod.txt",
                    "size": "1048576",
                    "eTag": "37b51d194a7513e45b56f6524f2d51f2",
                    "versionId": "",
                    "sequencer": "F7E6D75DC742D108",
                    "metadata": [],
                    "tags": [],
                },
            },
        }
    ]
}
R2: dict[str, Any] = {
    "account": "3f4b7e3dcab231cbfdaa90a6a28bd548",
    "action": "PutObject",
    "bucket": "my-bucket",
    "object": {"key": "my-new-object", "size": 65536, "eTag": "c846ff7a18f28c2e262116d6e8719ef0"},
    "eventTime": "2026-05-24T19:36:44.379Z",
}


def sns(told: object) -> dict[str, Any]:
    """The same in a notification of SNS."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-west-2:123456789012:uploads",
        "Subject": "Amazon S3 Notification",
        "Message": json.dumps(told),
        "Timestamp": "2026-05-02T00:54:06.655Z",
        "SignatureVersion": "1",
        "Signature": "EXAMPLEw6JRN",
        "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService.pem",
        "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
    }


def changed(told: dict[str, Any], *path: str | int, **fields: Any) -> dict[str, Any]:
    """A copy, in which the part at this path has these fields; one that is None is left out."""
    copied = copy.deepcopy(told)
    part: Any = copied
    for name in path:
        part = part[name]
    for name, value in fields.items():
        part.pop(name, None) if value is None else part.update({name: value})
    return copied
