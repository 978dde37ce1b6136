"""What is posted to us, and what should have been: the door takes the one, listing the buckets finds the other."""

import asyncio
from contextlib import closing

from services.triggers.kinds.s3.adapter import Source, SourceFault
from services.triggers.kinds.s3.aws import S3
from services.triggers.kinds.s3.listing import Range, keep_listing
from shared.domain.event_source import HttpConfig, HttpFormat

# Who tells of an upload by the second that a listing has for it too. AWS orders them by a number of its own, which is
# in no listing: each upload would be told twice.
_LISTED: frozenset[HttpFormat] = frozenset({"seaweedfs", "minio"})


async def run(source: Source) -> None:
    """Find what was not posted. Implements services.triggers.kinds.s3.adapter.Adapter."""
    config = source.config
    assert isinstance(config, HttpConfig)
    if config.s3 is None or not config.buckets:
        source.well()
        await asyncio.Event().wait()
        return
    if config.format not in _LISTED:
        raise SourceFault(f"What {config.format} tells cannot be found in a listing again: leave `buckets` out")
    secret = source.secrets.get("s3_secret_access_key", "")
    with closing(S3(config.s3, secret, source.world.service.platform)) as s3:
        await keep_listing(source, s3, Range(config.buckets, "", config.reconcile_s))
