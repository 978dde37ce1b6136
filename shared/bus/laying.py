"""How streams and consumers are laid: what they are as data becomes the server's own configuration."""

from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import APIError, NotFoundError

from shared.bus.streams import Consumer, Stream
from shared.domain.problem import Problem

_NAME_IN_USE = 10058
_NO_ROOM = 10047


async def lay_stream(server: JetStreamContext, stream: Stream) -> None:
    """Create the stream, or bring its bounds up to date. Raises Problem(unavailable) where the disk has no room."""
    config = _stream(stream)
    try:
        await server.stream_info(stream.name)
        await server.update_stream(config)
    except NotFoundError:
        try:
            await server.add_stream(config.evolve(first_seq=stream.first_sequence))
        except APIError as error:
            if error.err_code == _NO_ROOM:
                raise Problem("unavailable", _too_small(stream)) from error
            if error.err_code != _NAME_IN_USE:  # else another service made it a moment ago
                raise


async def lay_consumer(server: JetStreamContext, consumer: Consumer) -> float:
    """Create the durable pull consumer, or bring its bounds up to date; when it was made, Unix seconds."""
    info = await server.add_consumer(
        consumer.stream,
        ConsumerConfig(
            durable_name=consumer.name,
            filter_subject=consumer.subject,
            ack_wait=consumer.lease_s,
            max_deliver=-1,
            max_ack_pending=consumer.unsettled,
            max_waiting=2048,
            inactive_threshold=consumer.unused_s or None,
        ),
    )
    return info.created.timestamp()


def _stream(stream: Stream) -> StreamConfig:
    return StreamConfig(
        name=stream.name,
        subjects=stream.subjects,
        retention=RetentionPolicy.WORK_QUEUE if stream.retention == "workqueue" else RetentionPolicy.LIMITS,
        storage=StorageType.MEMORY if stream.counters else StorageType.FILE,
        max_age=stream.max_age_s,
        max_bytes=stream.max_bytes,
        max_msgs=stream.max_messages,
        num_replicas=stream.replicas,
        duplicate_window=min(stream.dedupe_s, stream.max_age_s or stream.dedupe_s),
        allow_direct=True,
        allow_msg_schedules=stream.schedules or None,
        allow_msg_counter=stream.counters or None,
        max_msgs_per_subject=1 if stream.counters or stream.latest else stream.per_subject,
    )


def _too_small(stream: Stream) -> str:
    return (
        f"the disk of the NATS server has no room for {stream.max_bytes >> 20:,} MiB of the stream {stream.name}; "
        "make room, or lower SHOAL_INVOKE_BYTES and SHOAL_EVENT_BYTES"
    )
