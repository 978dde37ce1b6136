"""Buckets that are listed, for storage that tells nobody."""

from contextlib import closing

from services.triggers.kinds.s3.adapter import Source
from services.triggers.kinds.s3.aws import S3
from services.triggers.kinds.s3.listing import Range, keep_listing
from shared.domain.event_source import PollConfig


async def run(source: Source) -> None:
    """Learn of uploads by listing. Implements services.triggers.kinds.s3.adapter.Adapter."""
    config = source.config
    assert isinstance(config, PollConfig)
    secret = source.secrets.get("s3_secret_access_key", "")
    with closing(S3(config.s3, secret, source.world.service.platform)) as s3:
        await keep_listing(source, s3, Range(config.buckets, config.prefix, config.interval_s))
