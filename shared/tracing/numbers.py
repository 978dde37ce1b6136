"""The numbers among OpenTelemetry's own variables, looked at before it is loaded.

At some that it cannot read it ends with a traceback, of others it says that traces are lost; an empty one is as none.
"""

import math
from collections.abc import MutableMapping

from shared.config import ConfigError

_MOST = 2**31 - 1
_DEFAULT_BATCH, _DEFAULT_QUEUE = 512, 2048
_BATCH, _QUEUE, _ARG = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_TRACES_SAMPLER_ARG"
_RATIOS = frozenset({"traceidratio", "parentbased_traceidratio"})
_TIMEOUTS = ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")

# Whole numbers, from which on.
_LEAST = {
    "OTEL_BSP_SCHEDULE_DELAY": 1,
    "OTEL_BSP_EXPORT_TIMEOUT": 0,
    _QUEUE: 1,
    _BATCH: 1,
    "OTEL_ATTRIBUTE_COUNT_LIMIT": 0,
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": 0,
    "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": 0,
    "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": 0,
    "OTEL_SPAN_EVENT_COUNT_LIMIT": 0,
    "OTEL_SPAN_LINK_COUNT_LIMIT": 0,
    "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": 0,
    "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": 0,
}


def check(environ: MutableMapping[str, str]) -> None:
    """Take the empty ones out, put in what it would miss, see that the others can be read. Raises ConfigError."""
    for name in (*_LEAST, *_TIMEOUTS, _ARG):
        if name in environ and not environ[name].strip():
            del environ[name]
    whole = {name: _whole(name, environ[name], least) for name, least in _LEAST.items() if name in environ}
    queue = whole.get(_QUEUE, _DEFAULT_QUEUE)
    if whole.get(_BATCH, 0) > queue:
        raise ConfigError(f"{_BATCH}: at most {_QUEUE}, which is {queue}, got {environ[_BATCH]!r}")
    if _BATCH not in whole and queue < _DEFAULT_BATCH:
        environ[_BATCH] = str(queue)  # it would be refused for what nobody has said
    for name in _TIMEOUTS:
        if name in environ and not 0 < _number(environ[name]) <= _MOST:
            raise ConfigError(f"{name}: seconds, a number above 0, got {environ[name]!r}")
    by_ratio = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() in _RATIOS
    if by_ratio and not 0 <= _number(environ.setdefault(_ARG, "1.0")) <= 1:
        raise ConfigError(f"{_ARG}: a number from 0 to 1, got {environ[_ARG]!r}")


def _whole(name: str, text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not least <= value <= _MOST:
        raise ConfigError(f"{name}: a whole number from {least} to {_MOST}, got {text!r}")
    return value


def _number(text: str) -> float:
    """NaN, which is within no bounds, for what is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
