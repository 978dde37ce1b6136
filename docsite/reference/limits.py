"""What is bounded by default: of one call, of callers, of streams."""

from docsite.reference.tables import code, page, table
from shared.boot import bounds
from shared.bus import streams
from shared.config import Platform
from shared.domain.limits import FIELDS, key_of
from shared.domain.rates import Rates

_ABOUT = """Everything has a bound. Those of calls, of callers and of the bus, with nothing set; made of the code.
[Settings](settings.md) has those of each service, [fairness](../fairness.md) who shares what."""
_CALL = {
    "timeout_s": "seconds of wall clock",
    "cpu_s": "seconds of CPU; no more than its seconds of wall clock",
    "memory_mb": "megabytes of memory",
    "output_bytes": "bytes printed and logged",
    "log_lines": "lines logged",
    "result_bytes": "bytes of its result, as JSON",
    "params_bytes": "bytes of its params, as JSON",
}
_RATE = {
    "authentication": "logins and the like, of one address; attempts at one user's password",
    "execution": "calls of functions, of one token or address",
    "other": "other requests, of one token or address",
    "tenant_execution": "calls of functions, of a tenant",
    "tenant_other": "other requests, of a tenant",
}


def made() -> str:
    """The page."""
    platform = Platform(nats_url="", mongodb_url="")
    bounds, rates = platform.bounds, Rates()
    calls = [
        (code(key_of(name)), _CALL[name], _number(getattr(bounds.default, name)), _number(getattr(bounds.most, name)))
        for name in FIELDS
    ]
    asked = [(code(name), _RATE[name], _number(getattr(rates, name))) for name in Rates.__struct_fields__]
    return page(
        "Limits", _ABOUT, "## One call\n", table(("`config`", "bounds", "unless it says", "at most"), calls),
        "## Requests a minute\n", table(("class", "counts", "limit"), asked),
        "## What the bus keeps\n", table(("stream", "subjects", "for", "bytes", "messages"), map(_kept, all_streams())),
    )  # fmt: skip


def all_streams() -> list[streams.Stream]:
    """The streams of a platform with nothing set."""
    platform = Platform(nats_url="", mongodb_url="")
    return [*streams.streams(bounds(platform), first_invocation=1), streams.rates(replicas=platform.stream_replicas)]


def _kept(stream: streams.Stream) -> tuple[str, str, str, str, str]:
    age = "until it is done" if stream.retention == "workqueue" else _age(stream.max_age_s)
    size = f"{stream.max_bytes / (1 << 20):,.0f} MiB" if stream.max_bytes > 0 else "-"
    count = _number(stream.max_messages) if stream.max_messages > 0 else "-"
    return code(stream.name), ", ".join(code(subject) for subject in stream.subjects), age, size, count


def _age(seconds: float) -> str:
    return f"{seconds / streams.DAY_S:g} days" if seconds >= streams.DAY_S else f"{seconds:g} s"


def _number(amount: float) -> str:
    return f"{amount:,}".removesuffix(".0")
