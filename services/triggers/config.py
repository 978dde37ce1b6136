"""The settings of the triggers service, `SHOAL_TRIGGERS_*`."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Triggers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sizes in bytes, times in seconds.

    `fd` is an inherited listening socket, -1 for an own one on `host` and `port`. `public_url` is where the world
    reaches this door, where that is not what a request's own head says. `domain` is that of the API.
    `requests` bounds how many are in progress at once in this process, `tenant_requests` how many of those are one
    tenant's once they are believed, `body_wait_s` how long a sender may take.
    `max_waiting` bounds how many may wait for an outcome at once, `queue_s` how much longer than the function may run
    one waits. `matches` bounds how many functions one event may set off.

    `sns_hosts` are servers, each `host:port`, by commas, that are believed and asked as AWS's SNS is, over HTTP too.

    `sockets` bounds how many are open at once in this process, `tenant_sockets` how many of those are one tenant's. Of
    one socket, `frame_bytes` bounds a message, `socket_in_flight` how many of them are under way at once, and
    `socket_backlog_bytes` what waits for a client that takes nothing, `sockets_backlog_bytes` what does for all such.
    Every `socket_heartbeat_s` each is told that the platform is there, and asked the same; every `socket_check_s` its
    credential is looked at again. One from which no message has come for `socket_idle_s`, and which listens to nothing,
    is closed. At the end `socket_grace_s` are left for answers.
    `s3_in_flight` bounds how many runs for uploads are submitted at once. A function may have written an upload by a
    run for one it had written, and so on, `s3_max_depth` times; `s3_max_inferred` where that is inferred from the time
    at which the same key is written again, with `s3_loop_grace_s` between the clocks.
    An event source is its owner's for `source_lease_s` after a sign of life; one that fails is tried again after
    `source_pause_s` at most. Of one bucket `source_objects` are listed at most. At once, of one source, `source_heads`
    objects are asked for, and `sqs_receivers` wait for messages of its queue.

    Of a function, `attempts_a_minute` requests at its webhook are written down, for `attempt_days`; at most
    `attempts_queue` wait to be written.

    `channels` bounds how many are listened on at once in this process, `tenant_channels` how many of those are one
    tenant's, `socket_channels` how many one socket may listen on. `event_streams` bounds the clients that listen by
    server-sent events, `tenant_event_streams` one tenant's; each gets a sign of life every `keep_alive_s`, when its
    credential is looked at again.
    """

    fd: int = -1
    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65_535)] = 8001
    public_url: Annotated[str, Meta(max_length=1000, pattern=r"\A(https?://[^\s?#]+)?\Z")] = ""
    domain: Annotated[str, Meta(max_length=200, pattern=r"\A([a-z0-9-]+(\.[a-z0-9-]+)*)?\Z")] = ""
    requests: Annotated[int, Meta(gt=0, le=100_000)] = 1000
    tenant_requests: Annotated[int, Meta(gt=0, le=100_000)] = 500
    body_wait_s: Annotated[float, Meta(gt=0)] = 30.0
    max_waiting: Annotated[int, Meta(gt=0, le=100_000)] = 5000
    queue_s: Annotated[float, Meta(gt=0, le=3600)] = 30.0
    matches: Annotated[int, Meta(gt=0, le=10_000)] = 100
    s3_in_flight: Annotated[int, Meta(gt=0, le=10_000)] = 64
    s3_max_depth: Annotated[int, Meta(ge=0, le=1000)] = 8
    s3_max_inferred: Annotated[int, Meta(gt=0, le=10_000)] = 100
    s3_loop_grace_s: Annotated[float, Meta(ge=0, le=60)] = 0.25
    source_lease_s: Annotated[float, Meta(ge=1, le=60)] = 6.0
    source_pause_s: Annotated[float, Meta(ge=0.5, le=3600)] = 30.0
    source_objects: Annotated[int, Meta(ge=1000, le=1_000_000_000)] = 10_000_000
    source_heads: Annotated[int, Meta(ge=1, le=64)] = 8
    sqs_receivers: Annotated[int, Meta(ge=1, le=64)] = 4
    attempts_a_minute: Annotated[int, Meta(ge=0)] = 600
    attempts_queue: Annotated[int, Meta(gt=0, le=1_000_000)] = 10_000
    attempt_days: Annotated[float, Meta(gt=0, le=3650)] = 7.0
    channels: Annotated[int, Meta(gt=0, le=1_000_000)] = 20_000
    tenant_channels: Annotated[int, Meta(gt=0, le=1_000_000)] = 10_000
    socket_channels: Annotated[int, Meta(gt=0, le=10_000)] = 100
    event_streams: Annotated[int, Meta(gt=0, le=100_000)] = 1000
    tenant_event_streams: Annotated[int, Meta(gt=0, le=100_000)] = 500
    keep_alive_s: Annotated[float, Meta(ge=0.1, le=300)] = 15.0
    token_cache_s: Annotated[float, Meta(ge=0)] = 30.0
    jwks_cache_s: Annotated[float, Meta(ge=1, le=86_400)] = 300.0
    sns_hosts: Annotated[str, Meta(max_length=2000, pattern=r"\A([A-Za-z0-9.-]+:[0-9]{1,5}( *, *|\Z))*\Z")] = ""
    sockets: Annotated[int, Meta(gt=0, le=1_000_000)] = 20_000
    tenant_sockets: Annotated[int, Meta(gt=0, le=1_000_000)] = 10_000
    frame_bytes: Annotated[int, Meta(gt=0, le=1 << 20)] = 64 << 10
    socket_in_flight: Annotated[int, Meta(gt=0, le=1000)] = 8
    sockets_backlog_bytes: Annotated[int, Meta(ge=1 << 20)] = 256 << 20
    socket_backlog_bytes: Annotated[int, Meta(ge=64 << 10, le=64 << 20)] = 1 << 20
    socket_heartbeat_s: Annotated[float, Meta(ge=0.1, le=3600)] = 30.0
    socket_check_s: Annotated[float, Meta(ge=0.1, le=3600)] = 30.0
    socket_idle_s: Annotated[float, Meta(gt=0, le=86_400 * 7)] = 3600.0
    socket_grace_s: Annotated[float, Meta(ge=0, le=60)] = 3.0
