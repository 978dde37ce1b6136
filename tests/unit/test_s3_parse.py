"""From what is told of an upload to the event; whatever else comes is no upload, or malformed, and nothing worse."""

import base64
import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.identity import identity, sequence
from services.triggers.kinds.s3.parse import Malformed, parse, read
from services.triggers.kinds.s3.payload import RECORD_BYTES, payload
from services.triggers.kinds.s3.tellers import fields
from tests.s3.told import AWS, AWS_TEST, CEPH, EVENTBRIDGE, MINIO, MOTO, R2, SEAWEEDFS, changed, sns

RECORD = ("Records", 0)
OBJECT = (*RECORD, "s3", "object")
ENTRY = ("message", "new_entry")
EVERYBODY = [AWS, MOTO, MINIO, CEPH, EVENTBRIDGE, SEAWEEDFS, R2]


def one(told: object) -> ObjectEvent:
    """The only upload in it."""
    (event,) = parse(json.dumps(told))
    return event


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_aws() -> None:
    event = one(AWS)
    assert (event.teller, event.name) == ("aws:s3", "ObjectCreated:Put")
    assert (event.bucket, event.key, event.size) == ("mybucket", "HappyFace.jpg", 1024)
    assert event.etag == "d41d8cd98f00b204e9800998ecf8427e"
    assert event.version_id == "096fKKXTRTtl3on89fVO.nfljtsv6qko"
    assert (event.sequencer, event.at) == ("0055AED6DCD90281E5", "1970-01-01T00:00:00Z")
    assert (event.content_type, event.metadata) == ("", {})
    assert event.record == AWS["Records"][0]


@pytest.mark.parametrize(
    ("told", "key"),
    [("red+flower.jpg", "red flower.jpg"), ("images/a+b%2B%C3%BC.png", "images/a b+ü.png"), ("100%25", "100%")],
)
def test_keys_of_aws_are_form_encoded(told: str, key: str) -> None:
    assert one(changed(AWS, *OBJECT, key=told)).key == key


def test_moto() -> None:
    event = one(MOTO)
    assert (event.key, event.size, event.sequencer) == ("images/a b+ü.png", 3, "")
    assert event.at == "2026-11-21T19:14:50.812Z"


def test_minio() -> None:
    event = one(MINIO)
    assert (event.teller, event.name, event.key) == ("minio:s3", "ObjectCreated:Put", "2026/a b.png")
    assert (event.content_type, event.metadata) == ("image/png", {"who": "me"})
    assert event.at == "2026-11-21T19:14:50.123Z"  # the object's own time, which is in its sequencer


def test_ceph_has_sizes_that_are_texts() -> None:
    event = one(CEPH)
    assert (event.teller, event.size, event.version_id, event.at) == (
        "ceph:s3",
        1 << 20,
        "",
        "2026-11-21T19:14:51.900Z",
    )


def test_eventbridge_has_keys_that_are_not_encoded() -> None:
    event = one(changed(EVENTBRIDGE, "detail", "object", key="a+b%20c.png"))
    assert (event.bucket, event.key, event.size) == ("updemo", "a+b%20c.png", 3)
    assert (event.name, event.version_id, event.at) == ("ObjectCreated:Put", "", "2026-11-21T19:14:53Z")
    assert event.etag == "202cb962ac59075b964b07152d234b70"


@pytest.mark.parametrize(
    ("reason", "name"),
    [
        ("PutObject", "Put"),
        ("POST Object", "Post"),
        ("CopyObject", "Copy"),
        ("CompleteMultipartUpload", "CompleteMultipartUpload"),
    ],
)
def test_eventbridge_of_aws_spells_it_otherwise(reason: str, name: str) -> None:
    landed = {"key": "k", "size": 5, "etag": "b1946ac92492d2347c6235b4d2611184", "version-id": "v7", "sequencer": "00F"}
    event = one(changed(EVENTBRIDGE, "detail", object=landed, reason=reason))
    assert (event.name, event.etag, event.version_id) == (
        f"ObjectCreated:{name}",
        "b1946ac92492d2347c6235b4d2611184",
        "v7",
    )


def test_cloudflare() -> None:
    event = one(R2)
    assert (event.teller, event.name) == ("cloudflare:r2", "ObjectCreated:Put")
    assert (event.bucket, event.key, event.size) == ("my-bucket", "my-new-object", 65536)
    assert event.at == "2026-05-24T19:36:44.379Z"
    assert parse(json.dumps({**R2, "action": "DeleteObject"})) == []


def test_seaweedfs() -> None:
    event = one(SEAWEEDFS)
    assert (event.teller, event.name) == ("seaweedfs", "ObjectCreated:Put")
    assert (event.bucket, event.key, event.size) == ("uploads", "images/a b+ü.png", 7)
    assert event.etag == "ac77c62b9e09438bca3cc067e6026405"
    assert (event.content_type, event.metadata) == ("image/png", {"who": "me"})
    assert event.at == "2026-11-21T19:09:45.318Z"
    chunk = {**SEAWEEDFS["message"]["new_entry"]["chunks"][0], "modified_ts_ns": 1795288184_999_999_999}
    assert one(changed(SEAWEEDFS, *ENTRY, chunks=[chunk])).at == "2026-11-21T19:09:45Z"
    assert one(changed(SEAWEEDFS, *ENTRY, chunks=[])).at == "2026-11-21T19:09:45Z"


def test_seaweedfs_without_the_tag_of_its_door() -> None:
    assert one(changed(SEAWEEDFS, *ENTRY, extended=None)).etag == "ac77c62b9e09438bca3cc067e6026405"
    chunk = {"e_tag": "rHfGK54JQ4vKPMBn5gJkBQ==", "fid": {"volume_id": 3, "file_key": 1}}
    bare = changed(changed(SEAWEEDFS, *ENTRY, extended=None, chunks=[chunk]), *ENTRY, "attributes", md5=None)
    assert one(bare).etag == "ac77c62b9e09438bca3cc067e6026405"
    multipart = one(changed(bare, *ENTRY, chunks=[chunk, chunk]))
    assert multipart.etag.endswith("-2")
    assert multipart.name == "ObjectCreated:CompleteMultipartUpload"


def versioned(**fields: Any) -> dict[str, Any]:
    """The second version of an object, as SeaweedFS keeps it."""
    extended = {**SEAWEEDFS["message"]["new_entry"]["extended"], "Seaweed-X-Amz-Version-Id": b64("55ab12"), **fields}
    told = changed(SEAWEEDFS, *ENTRY, name="v_55ab12", extended=extended)
    return changed(told, "message", new_parent_path="/buckets/uploads/docs/f.txt.versions")


def test_seaweedfs_keeps_versions_in_a_folder() -> None:
    event = one(versioned())
    assert (event.bucket, event.key, event.version_id) == ("uploads", "docs/f.txt", "55ab12")


def test_a_key_that_only_looks_like_a_version_is_a_key() -> None:
    told = changed(SEAWEEDFS, *ENTRY, name="v_1")
    event = one(changed(told, "message", new_parent_path="/buckets/uploads/f.txt.versions"))
    assert (event.key, event.version_id) == ("f.txt.versions/v_1", "")


def overwritten(**fields: Any) -> dict[str, Any]:
    """An update that tells of an entry with these fields before it."""
    former = changed(SEAWEEDFS, *ENTRY, **fields)["message"]["new_entry"]
    return changed({**SEAWEEDFS, "event_type": "update"}, "message", old_entry=former)


def test_seaweedfs_overwrites() -> None:
    entry = SEAWEEDFS["message"]["new_entry"]
    assert one(overwritten(chunks=[{**entry["chunks"][0], "fid": {"volume_id": 3, "file_key": 9}}]))
    assert one(overwritten(attributes={**entry["attributes"], "mtime": 1795288184}))
    assert one(overwritten(content="bmV3", chunks=[]))


def test_seaweedfs_renames() -> None:
    told = changed(
        {**SEAWEEDFS, "event_type": "rename", "key": "/buckets/uploads/old.png"},
        "message",
        old_entry={**SEAWEEDFS["message"]["new_entry"], "name": "old.png"},
    )
    event = one(told)
    assert (event.name, event.key) == ("ObjectCreated:Rename", "images/a b+ü.png")


NO_UPLOADS: dict[str, Any] = {
    "a test": AWS_TEST,
    "a test through SNS": sns(AWS_TEST),
    "a removal": changed(AWS, *RECORD, eventName="ObjectRemoved:Delete"),
    "a removal at MinIO": changed(MINIO, *RECORD, eventName="s3:ObjectRemoved:Delete"),
    "a look at MinIO": changed(MINIO, *RECORD, eventName="s3:ObjectAccessed:Get"),
    "a restoration": changed(AWS, *RECORD, eventName="ObjectRestore:Completed"),
    "tags": changed(AWS, *RECORD, eventName="ObjectTagging:Put"),
    "nothing": {"Records": []},
    "records of something else": {"Records": [{"eventSource": "aws:sqs", "body": "hello"}, 7, None]},
    "EventBridge of a deletion": {**EVENTBRIDGE, "detail-type": "Object Deleted"},
    "EventBridge of something else": {**EVENTBRIDGE, "source": "aws.ec2"},
    "a message of a queue that is no JSON": {"Body": "hello"},
    "a subscription": {"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe", "Token": "x"},
    "a list": [AWS],
    "a number": 12345678901234567890123456789012345678901234567890,
    "null": None,
    "an object": {},
    "a directory": changed(SEAWEEDFS, *ENTRY, is_directory=True),
    "a directory by its mode": changed(SEAWEEDFS, *ENTRY, "attributes", file_mode=1 << 31 | 0o770),
    "a part of a multipart upload": changed(SEAWEEDFS, "message", new_parent_path="/buckets/uploads/.uploads/ab_1"),
    "the system's own": changed(SEAWEEDFS, "message", new_parent_path="/buckets/.system/configuration"),
    "what is in no bucket": changed({**SEAWEEDFS, "key": "/topics/x"}, "message", new_parent_path="/topics/.system"),
    "a bucket": changed(SEAWEEDFS, "message", new_parent_path="/buckets"),
    "a delete marker": versioned(**{"Seaweed-X-Amz-Delete-Marker": b64("true")}),
    "tags at SeaweedFS": overwritten(extended={"Seaweed-X-Amz-ETag": b64("ac77c62b9e09438bca3cc067e6026405")}),
    "a deletion at SeaweedFS": {
        **SEAWEEDFS,
        "event_type": "delete",
        "message": {"old_entry": SEAWEEDFS["message"]["new_entry"], "delete_chunks": True},
    },
    "an unknown word of SeaweedFS": {**SEAWEEDFS, "event_type": "touch"},
}


@pytest.mark.parametrize("told", NO_UPLOADS.values(), ids=NO_UPLOADS.keys())
def test_what_is_no_upload(told: object) -> None:
    assert parse(json.dumps(told)) == []


def test_envelopes() -> None:
    for told in EVERYBODY:
        bare = one(told)
        assert one(sns(told)) == bare
        assert one({"MessageId": "1", "Body": json.dumps(sns(told))}) == bare
        assert parse(json.dumps(told).encode()) == [bare]
    deep: Any = AWS
    for _ in range(4):
        deep = sns(deep)
    with pytest.raises(Malformed, match="wrapped more than"):
        parse(json.dumps(deep))


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.5", "2.99", None])
def test_minor_versions_are_all_read(version: str | None) -> None:
    assert one(changed(AWS, *RECORD, eventVersion=version)).key == "HappyFace.jpg"


MALFORMED: dict[str, bytes | str] = {
    "nothing": b"",
    "no JSON": b"<xml/>",
    "half of it": json.dumps(AWS)[:-2],
    "no UTF-8": b'{"Records":"\xff"}',
    "half a surrogate pair": '{"Records": "\\ud800"}',
    "half a surrogate pair as it is": '{"Records": "\ud800"}',
    "too deep": '{"Records":' * 50_000,
    "deep": '{"a":' * 80 + "1" + "}" * 80,
    "an endless number": '{"Records": ' + "9" * 5000 + "}",
    "a number without bounds": '{"Records": 1e999}',
    "too long": " " * (5 << 20),
    "too many values": '{"a":[' + "[]," * 200_000 + "[]]}",
    "records that are none": '{"Records": {}}',
    "too many records": json.dumps({"Records": [{}] * 1001}),
    "another version": json.dumps(changed(AWS, *RECORD, eventVersion="3.0")),
    "no object": json.dumps(changed(AWS, *RECORD, "s3", object=None)),
    "no key": json.dumps(changed(AWS, *OBJECT, key=None)),
    "a number for a key": json.dumps(changed(AWS, *OBJECT, key=7)),
    "an empty key": json.dumps(changed(AWS, *OBJECT, key="")),
    "a long key": json.dumps(changed(AWS, *OBJECT, key="k" * 5000)),
    "a key that is no UTF-8": json.dumps(changed(AWS, *OBJECT, key="%FF")),
    "half a surrogate pair in a key": json.dumps(changed(AWS, *OBJECT, key="%ED%A0%80")),
    "no bucket": json.dumps(changed(AWS, *RECORD, "s3", bucket={})),
    "a long bucket": json.dumps(changed(AWS, *RECORD, "s3", bucket={"name": "b" * 300})),
    "no detail": json.dumps({**EVENTBRIDGE, "detail": 5}),
    "no object of R2": json.dumps({**R2, "object": None}),
    "a message that is cut": json.dumps({"Message": json.dumps(AWS)[:-1]}),
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_malformed(body: bytes | str) -> None:
    with pytest.raises(Malformed):
        parse(body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 10**40},
        {"size": -1},
        {"size": "many"},
        {"size": True},
        {"eTag": 7, "versionId": []},
        {"sequencer": "F" * 5000},
        {"contentType": "x" * 10_000},
        {"userMetadata": {"X-Amz-Meta-Big": "x" * 10_000}},
        {"userMetadata": {f"X-Amz-Meta-{number}": "x" for number in range(1000)}},
    ],
)
def test_what_is_beside_the_point_is_left_out_where_it_is_wrong(wrong: dict[str, Any]) -> None:
    event = one(changed(MINIO, *OBJECT, **wrong))
    assert event.key == "2026/a b.png"
    assert len(msgspec.json.encode(msgspec.structs.replace(event, record=None))) < 5000


NAMES = sorted(
    {
        "Records",
        "Message",
        "Body",
        "detail",
        "detail-type",
        "s3",
        "object",
        "bucket",
        "key",
        "eventName",
        "size",
        "name",
    }
    | {"message", "event_type", "new_entry", "attributes", "chunks", "mtime", "md5", "extended", "action", "eventTime"}
)
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary().map(
        lambda data: base64.b64encode(data).decode()
    )
    | st.sampled_from(["ObjectCreated:Put", "Object Created", "aws.s3", "create", "PutObject", "/buckets/b/k", "%FF"])
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=6),
)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_json_is_an_upload_or_none_or_malformed(told: Any) -> None:
    try:
        events = parse(json.dumps(told))
    except Malformed:
        return
    assert all(isinstance(event, ObjectEvent) for event in events)


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_what_is_told_with_one_thing_wrong(data: st.DataObject) -> None:
    told: Any = json.loads(json.dumps(data.draw(st.sampled_from(EVERYBODY))))
    place: Any = told
    while True:
        name = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        inner = place[name]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 4)) == 0:
            break
        place = inner
    place[name] = data.draw(JSON)
    try:
        events = read(told)
    except Malformed:
        return
    for event in events:
        msgspec.json.decode(payload(event, source="s", depth=0))
        identity(event).encode()


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    with suppress(Malformed):
        assert isinstance(parse(body), list)


def listed(event: ObjectEvent, **changes: Any) -> ObjectEvent:
    """The same object as a listing of its bucket shows it."""
    return ObjectEvent(
        **{
            "teller": "list",
            "name": "ObjectCreated:Put",
            "bucket": event.bucket,
            "key": event.key,
            "etag": event.etag,
            "size": event.size,
            "at": event.at,
            **changes,
        }
    )


def test_a_listing_and_those_who_tell_at_once_mean_the_same() -> None:
    for told, at in (
        (SEAWEEDFS, "2026-11-21T19:09:45Z"),
        (versioned(), "2026-11-21T19:09:45Z"),
        (MINIO, "2026-11-21T19:14:50.123Z"),
    ):
        event = one(told)
        assert identity(event) == identity(listed(event, at=at))
        assert identity(event) != identity(listed(event, at="2026-11-21T19:09:46Z"))


def test_what_makes_an_upload_another_one() -> None:
    event = one(AWS)
    same = [one(changed(AWS, *OBJECT, sequencer=text)) for text in ("0055aed6dcd90281e5", "0055AED6DCD90281E500")]
    assert {identity(event), *map(identity, same)} == {identity(event)}
    others = [
        changed(AWS, *OBJECT, sequencer="0055AED6DCD90281E6"),
        changed(AWS, *OBJECT, key="SadFace.jpg"),
        changed(AWS, *OBJECT, eTag="b1946ac92492d2347c6235b4d2611184"),
        changed(AWS, *RECORD, "s3", bucket={"name": "another"}),
    ]
    assert len({identity(event), *(identity(one(other)) for other in others)}) == 1 + len(others)


def test_sequencers_are_ordered() -> None:
    told = ["0055AED6DCD90281E5", "0055AED6DCD90281E500F", "0055aed6dcd90281e6", "0055AED6DCD9028", "01"]
    ordered = sorted((msgspec.structs.replace(one(AWS), sequencer=text) for text in told), key=sequence)
    assert [event.sequencer for event in ordered] == [told[3], told[0], told[1], told[2], told[4]]
    assert sequence(ObjectEvent(teller="x", name="x", bucket="b", key="k", sequencer="not hex 0")) == "not hex 0"


def test_what_a_function_is_told() -> None:
    told = msgspec.json.decode(payload(one(AWS), source="aws", depth=2))
    assert told == {
        "trigger": "s3_upload",
        "bucket": "mybucket",
        "key": "HappyFace.jpg",
        "size": 1024,
        "etag": "d41d8cd98f00b204e9800998ecf8427e",
        "contentType": None,
        "eventName": "ObjectCreated:Put",
        "eventTime": "1970-01-01T00:00:00Z",
        "sequencer": "0055AED6DCD90281E5",
        "versionId": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
        "metadata": {},
        "source": "aws",
        "depth": 2,
        "record": AWS["Records"][0],
    }


def test_a_long_record_is_not_handed_on() -> None:
    event = one(changed(AWS, *RECORD, more="x" * RECORD_BYTES))
    told = payload(event, source="aws", depth=0)
    assert len(bytes(told)) < 1000
    assert msgspec.json.decode(told)["record"] is None
    assert "more than" in msgspec.json.decode(told)["recordDropped"]


def test_times() -> None:
    told = {"Z": "2026-11-21T19:14:50Z", "offset": "2026-11-21T20:14:50+01:00", "ns": "2026-11-21T19:14:50.000Z"}
    assert {fields.moment(told, name) for name in told} == {"2026-11-21T19:14:50Z"}
    for wrong in ("", "yesterday", "2026-11-21", "99999-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"):
        assert fields.moment({"at": wrong}, "at") == ""
    assert fields.stamp_of(1e30) == ""


def test_one_record_that_cannot_be_read_keeps_none_of_the_others():
    """Nor is it forgotten: whoever has them says so to their teller."""
    records = [changed(AWS, *OBJECT, key=f"{number}")["Records"][0] for number in range(10)]
    records[4] = changed(AWS, *OBJECT, key="%FF")["Records"][0]
    with pytest.raises(Malformed) as found:
        parse(json.dumps({"Message": json.dumps({"Records": records})}))
    assert [event.key for event in found.value.uploads] == [str(number) for number in range(10) if number != 4]
