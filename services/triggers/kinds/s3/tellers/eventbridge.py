"""Events of S3 as Amazon EventBridge tells them."""

from services.triggers.kinds.s3.event import CREATED, ObjectEvent
from services.triggers.kinds.s3.tellers import fields
from services.triggers.kinds.s3.tellers.fields import Fields

_CREATED = "Object Created"
# What S3 itself calls the requests that EventBridge names by their operation.
_REASONS = {"PutObject": "Put", "POST Object": "Post", "CopyObject": "Copy"}


def uploads(told: Fields) -> list[ObjectEvent]:
    """The upload, where it is one. Its key is not encoded. Raises Malformed."""
    if told["detail-type"] != _CREATED or told.get("source") != "aws.s3":
        return []
    detail = fields.part(told, "detail")
    landed = fields.part(detail, "object")
    reason = fields.text(detail, "reason", most=50).replace("ObjectCreated", "")
    return [
        ObjectEvent(
            teller="aws:s3",
            name=CREATED + (_REASONS.get(reason, reason) or "Put"),
            bucket=fields.bucket(fields.part(detail, "bucket")),
            key=fields.key(landed),
            size=fields.size(landed),
            etag=fields.etag(landed),
            version_id=fields.version(landed, "version-id", "versionId"),
            sequencer=fields.text(landed, "sequencer", most=100),
            at=fields.moment(told, "time"),
            record=told,
        )
    ]
