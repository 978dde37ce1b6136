"""An upload, as every source's own words are turned into."""

from typing import Any

import msgspec

CREATED = "ObjectCreated:"
"""What the names of events begin with that are uploads."""


class ObjectEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An object landed in a bucket. What its teller does not say is empty, a `size` -1.

    `teller` is who said it (`aws:s3`, `minio:s3`, `seaweedfs`, `list` …), `name` what happened, without a prefix
    (`ObjectCreated:Put`). `key` is decoded, `etag` has no quotes, `at` is ISO 8601 in UTC. `sequencer` orders the
    events of one key. `metadata` is the uploader's, names in small letters. `record` is what was told, as it came.
    """

    teller: str
    name: str
    bucket: str
    key: str
    size: int = -1
    etag: str = ""
    content_type: str = ""
    version_id: str = ""
    sequencer: str = ""
    at: str = ""
    metadata: dict[str, str] = {}
    record: Any = None
