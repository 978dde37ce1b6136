"""The executor's settings."""

import os
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from services.executor.pool.bounds import Bounds
from shared.config import MOST_CALLS, Platform
from shared.domain.retry import MAX_RETRIES, Backoff

Count = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(gt=0)]

_PROCESSES = 64
_PROCESSES_PER_TENANT = 32
_REPORT_BYTES = 64 << 10  # error and traceback of one call
_ESCAPED = 6  # bytes of JSON that one byte of text may become


class Executor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bytes, seconds, counts.

    `slots` calls run side by side; `ahead` more (0: four times the slots) are held ready, so that a free slot never
    waits for the bus. One that got no slot within `slot_wait_s` is handed back, so that another executor may take it. A
    call that runs for longer than `notice_s` is announced as STARTED.

    `processes` bounds the worker processes of all modes, warm ones and busy ones, `processes_per_tenant` one tenant's
    share of them (0: 64 and 32, or four times the slots). `memory_mb` bounds what they hold together (0: three
    quarters of the machine's memory): a busy one counts with its function's limit, an idle one with what it holds; the
    longest unused makes room. A call waits for a process for up to `place_timeout_s`. A process is ended when it was
    unused for `idle_s`, and after `recycle_calls` calls.
    A JavaScript function may go on for `wait_until_s` after its answer, with what it has given to `ctx.waitUntil`.
    `compile_timeout_s` and `compile_memory_mb` bound the compilation of one source, `compiled_mb` what
    is kept on disk of large JavaScript.
    Of plugins' code `examine_slots` are looked into side by side, beside the calls; of these a tenant leaves as many as
    it has. One may compute for `examine_timeout_s`, and is given up `examine_wait_s` after it was asked for.

    `proxy_slots` calls of PROXY functions run side by side, beside the others: they only wait. One tenant has at most
    `proxy_share` of them while no other wants any, and an endpoint that nobody has reached of late `proxy_trial_slots`.
    `proxy_idle_connections` are kept open for up to `proxy_idle_s` after their last use.

    `system_slots` calls of system functions run side by side, beside the others; at most half of them are pipelines,
    and as many threads run those that are not async. `smtp_…`, `sms_…` and `push_…` are the ways of notifications,
    each closed while its address is empty.

    A callback is posted within `callback_timeout_s`, with a result of up to `callback_bytes`. A receiver that fails is
    tried `callback_retries` more times.

    A call may invoke others `invokes` times, `invokes_at_once` of them side by side. A function may have `claims`
    that have not run out. A call may push to channels `publishes` times.

    A failed try that is worth another one is followed by it after a random pause of up to `retry_first_s`, twice as
    long each time and at most `retry_most_s`; a pause that the other side asks for is kept up to `retry_after_most_s`.

    What was cut `cuts` times in an attempt, because its executor died, is not run again.

    Lines are passed on to who follows while a call runs: `told_call_lines` a second of a call, with `told_call_bytes`
    characters in them, and `told_lines` and `told_bytes` of all calls together. Beyond that they are left out, and that
    is told. They are sent `told_every_s` after the first one, or at once when there are many.

    `sandbox` set to `weak` serves even where the kernel does not contain hostile code; `namespaces` off leaves out the
    one layer that some hosts permit and dislike.
    """

    slots: Annotated[int, Meta(gt=0, le=MOST_CALLS)] = 2 * (os.cpu_count() or 1)
    ahead: Annotated[int, Meta(ge=0)] = 0
    slot_wait_s: Seconds = 2.0
    notice_s: Seconds = 0.1
    cache_bytes: Count = 64 << 20
    processes: Annotated[int, Meta(ge=0, le=4096)] = 0
    processes_per_tenant: Annotated[int, Meta(ge=0, le=4096)] = 0
    memory_mb: Annotated[int, Meta(ge=0, le=16 << 20)] = 0
    idle_s: Seconds = 120.0
    recycle_calls: Annotated[int, Meta(gt=0, le=1_000_000)] = 1000
    place_timeout_s: Annotated[float, Meta(gt=0, le=300)] = 30.0
    wait_until_s: Annotated[float, Meta(gt=0, le=300)] = 30.0
    compile_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    compile_memory_mb: Annotated[int, Meta(ge=32, le=4096)] = 256
    compiled_mb: Annotated[int, Meta(ge=0, le=1 << 20)] = 256
    examine_slots: Annotated[int, Meta(ge=2, le=1024)] = 4
    examine_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    examine_wait_s: Annotated[float, Meta(gt=0, le=300)] = 25.0
    proxy_slots: Annotated[int, Meta(gt=0, le=4096)] = 640
    proxy_share: Annotated[float, Meta(gt=0, lt=1)] = 0.98
    proxy_trial_slots: Annotated[int, Meta(gt=0, le=1024)] = 4
    proxy_idle_connections: Annotated[int, Meta(ge=0, le=4096)] = 640
    proxy_idle_s: Annotated[float, Meta(gt=0, le=600)] = 30.0
    system_slots: Annotated[int, Meta(ge=2, le=1024)] = 64
    smtp_url: str = ""
    smtp_from: str = ""
    sms_url: str = ""
    sms_token: str = ""
    push_url: str = ""
    push_token: str = ""
    callback_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 15.0
    callback_bytes: Annotated[int, Meta(ge=0, le=6 << 20)] = 256 << 10
    callback_retries: Annotated[int, Meta(ge=0, le=MAX_RETRIES)] = 50
    invokes: Annotated[int, Meta(ge=0, le=10_000)] = 100
    invokes_at_once: Annotated[int, Meta(gt=0, le=1000)] = 10
    claims: Annotated[int, Meta(gt=0, le=10_000_000)] = 100_000
    publishes: Annotated[int, Meta(ge=0, le=100_000)] = 1000
    retry_first_s: Annotated[float, Meta(ge=0, le=3600)] = 1.0
    retry_most_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    cuts: Annotated[int, Meta(gt=0, le=1000)] = 10
    retry_after_most_s: Annotated[float, Meta(ge=0, le=86_400)] = 300.0
    told_call_lines: Annotated[int, Meta(ge=0, le=1_000_000)] = 5000
    told_call_bytes: Annotated[int, Meta(ge=0, le=1 << 30)] = 2 << 20
    told_lines: Annotated[int, Meta(ge=0, le=10_000_000)] = 50_000
    told_bytes: Annotated[int, Meta(ge=0, le=1 << 30)] = 16 << 20
    told_every_s: Annotated[float, Meta(ge=0.001, le=10)] = 0.05
    sandbox: Literal["auto", "weak"] = "auto"
    namespaces: bool = True

    @property
    def backoff(self) -> Backoff:
        """The pauses between tries of a function that names none."""
        return Backoff(first_s=self.retry_first_s, most_s=self.retry_most_s, most_asked_s=self.retry_after_most_s)

    @property
    def held_ready(self) -> int:
        """Dispatches held beyond the slots."""
        return self.ahead or 4 * self.slots

    @property
    def most_processes(self) -> int:
        """Worker processes, all together."""
        return self.processes or max(_PROCESSES, 4 * self.slots)

    @property
    def most_processes_per_tenant(self) -> int:
        """Worker processes of one tenant: unless it is told otherwise, one alone may use every slot of two modes."""
        return self.processes_per_tenant or max(_PROCESSES_PER_TENANT, 4 * self.slots)

    @property
    def bounds(self) -> Bounds:
        """What holds for the worker processes of all modes together."""
        return Bounds(
            processes=self.most_processes,
            processes_per_tenant=self.most_processes_per_tenant,
            memory_mb=self.memory_mb,
            idle_s=self.idle_s,
            recycle_calls=self.recycle_calls,
            place_timeout_s=self.place_timeout_s,
        )

    def message_bytes(self, platform: Platform) -> int:
        """The largest message of an executor: a result with all the output and the error that it may have."""
        return platform.message_bytes + _ESCAPED * (platform.output_bytes + _REPORT_BYTES)
