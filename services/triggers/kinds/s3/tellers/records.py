"""`Records` as AWS, MinIO and Ceph tell them."""

from urllib.parse import unquote_plus

from services.triggers.kinds.s3.event import CREATED, ObjectEvent
from services.triggers.kinds.s3.tellers import fields
from services.triggers.kinds.s3.tellers.fields import Fields, Malformed

MINIO = "minio:s3"
_MAJOR = "2"
_HEX = 16
_NS = 1_000_000_000


def uploads(told: Fields) -> list[ObjectEvent]:
    """The uploads among the records. Raises Malformed, with those that can be read beside one that cannot."""
    records = told["Records"]
    if not isinstance(records, list) or len(records) > fields.MAX_RECORDS:
        raise Malformed(f"Records is no list of up to {fields.MAX_RECORDS}")
    found: list[ObjectEvent] = []
    fault: Malformed | None = None
    for record in records:
        try:
            if isinstance(record, dict) and _is_upload(record):
                found.append(_upload(record))
        except Malformed as malformed:
            fault = fault or malformed
    if fault is not None:
        fault.uploads = found
        raise fault
    return found


def _is_upload(record: Fields) -> bool:
    return _name(record).startswith(CREATED)


def _name(record: Fields) -> str:
    return fields.text(record, "eventName").removeprefix("s3:")  # only AWS leaves it out


def _upload(record: Fields) -> ObjectEvent:
    version = fields.text(record, "eventVersion")
    if version and version.partition(".")[0] != _MAJOR:
        raise Malformed(f"eventVersion is {version[:20]}: {_MAJOR}.x is what is known")
    told = fields.part(record, "s3")
    landed = fields.part(told, "object")
    teller = fields.text(record, "eventSource", most=50) or "s3"
    sequencer = fields.text(landed, "sequencer", most=100)
    return ObjectEvent(
        teller=teller,
        name=_name(record),
        bucket=fields.bucket(fields.part(told, "bucket")),
        key=_key(landed),
        size=fields.size(landed),
        etag=fields.etag(landed),
        content_type=fields.text(landed, "contentType"),
        version_id=fields.version(landed, "versionId"),
        sequencer=sequencer,
        at=(_modified(sequencer) if teller == MINIO else "") or fields.moment(record, "eventTime"),
        metadata=fields.metadata(fields.maybe(landed, "userMetadata"), prefix="x-amz-meta-"),
        record=record,
    )


def _key(landed: Fields) -> str:
    """Form-encoded: `+` is a space."""
    told = fields.key({"key": landed.get("key")})
    try:
        return fields.key({"key": unquote_plus(told, errors="strict")})
    except UnicodeDecodeError:
        raise Malformed("key is not UTF-8") from None


def _modified(sequencer: str) -> str:
    """MinIO's sequencer is the object's time in nanoseconds: a listing says the same, the event's own time does not."""
    try:
        return fields.stamp_of(int(sequencer, _HEX) / _NS)
    except ValueError:
        return ""
