"""Event notifications of Cloudflare R2."""

from services.triggers.kinds.s3.event import CREATED, ObjectEvent
from services.triggers.kinds.s3.tellers import fields
from services.triggers.kinds.s3.tellers.fields import Fields

_ACTIONS = {"PutObject": "Put", "CopyObject": "Copy", "CompleteMultipartUpload": "CompleteMultipartUpload"}


def uploads(told: Fields) -> list[ObjectEvent]:
    """The upload, where it is one. Raises Malformed."""
    action = _ACTIONS.get(fields.text(told, "action"))
    if action is None:
        return []
    landed = fields.part(told, "object")
    return [
        ObjectEvent(
            teller="cloudflare:r2",
            name=CREATED + action,
            bucket=fields.bucket(told, "bucket"),
            key=fields.key(landed),
            size=fields.size(landed),
            etag=fields.etag(landed),
            at=fields.moment(told, "eventTime"),
            record=told,
        )
    ]
