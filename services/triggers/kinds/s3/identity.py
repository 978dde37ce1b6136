"""What makes an upload this one and no other, whoever tells of it."""

import re

from services.triggers.kinds.s3.event import ObjectEvent
from services.triggers.kinds.s3.tellers.records import MINIO

_HEX = re.compile(r"[0-9a-f]+")
_SECONDS = len("2026-01-31T12:00:00")


def identity(event: ObjectEvent) -> str:
    """The same for every word about one upload: bucket, key, tag of the content (else its version), place in time.

    That place is the sequencer where a service orders a key's uploads by it. Else it is the second in which the object
    came to be, as its teller and every listing of the bucket say it.
    """
    return "\n".join((event.bucket, event.key, event.etag or event.version_id, _place(event)))


def sequence(event: ObjectEvent) -> str:
    """The sequencer, so that of two of one key the later one is the greater text; empty where there is none.

    The shorter one is to be padded with zeros: without those at the end, both compare as they should.
    """
    told = event.sequencer.lower()
    return told.rstrip("0") if _HEX.fullmatch(told) else told


def _place(event: ObjectEvent) -> str:
    """MinIO's sequencer is the object's time, which a listing knows to the second: so both are told as that."""
    if event.sequencer and event.teller != MINIO:
        return f"sequencer {sequence(event)}"
    return f"at {event.at[:_SECONDS]}"
