"""Environment to typed structs: the only reader of settings from os.environ.

A field `lease_s` of a section read with prefix `SHOAL_` is the variable `SHOAL_LEASE_S`; with prefix
`SHOAL_EXECUTOR_`, `SHOAL_EXECUTOR_LEASE_S`. `NATS_URL` and `MONGODB_URL` go without a prefix, as everywhere else.
"""

import os
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from shared.domain.channel import MOST_PUBLISHED
from shared.domain.limits import Bounds, Limits

Section = TypeVar("Section", bound=msgspec.Struct)

Positive = Annotated[float, Meta(gt=0)]

SERVICES = ("api", "router", "executor", "recorder", "scheduler", "triggers")
# What `shoal up` reads for itself and hands to no service, but for the token, which the api alone is given.
OF_UP = frozenset({"SHOAL_HOST", "SHOAL_PORT", "SHOAL_DATA_DIR", "SHOAL_WORKERS", "SHOAL_ADMIN_TOKEN", "SHOAL_MONGOD"})
MOST_CALLS = 1024
"""The most calls that one executor may run side by side."""
_ENVELOPE_BYTES = 64 << 10
# Fields whose variable has a name of its own, without the section's prefix.
_BARE = {"nats_url": "NATS_URL", "mongodb_url": "MONGODB_URL", "sandbox": "SHOAL_SANDBOX"} | {
    field: f"SHOAL_{field.upper()}"
    for field in ("smtp_url", "smtp_from", "sms_url", "sms_token", "push_url", "push_token")
}


# Where OpenTelemetry's collector is: where one is named, traces are wanted.
_COLLECTOR = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOL = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")  # the first one stands


class ConfigError(Exception):
    """A setting is missing, unknown or out of its range; the text is one line for the operator."""


class Platform(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that every service shares. Sizes in bytes, times in seconds.

    `lease_s` is how long a message may go without a sign of life before it is handed to someone else.
    `cache_s` is how long a cached function is believed without asking again, should a change notice be lost.
    `seat` names the place of work, which outlives the process; empty where every process is a new one.
    `params_bytes`, `result_bytes` and `output_bytes` bound what a call takes, returns, and prints and logs; a function
    or its tenant may have less. The `default_…` are the limits of a function that names none, the `max_…` the most that
    one may ask for.
    `secret_key`, or else the file `secret_key_file`, holds what seals secrets at rest: 64 hexadecimal digits, or
    several such keys by commas or on lines, of which the first one seals.
    `egress_private` opens private networks and this machine to requests whose address a user chose, `egress_allow` the
    networks that it names, by commas. Names are resolved within `egress_lookup_s`, connections made within
    `egress_connect_s`; `egress_ca_file` holds certificates of authorities to be believed beside the usual ones.
    `api_url` is where functions reach the API, which they find as `SHOAL_API_URL`; `max_depth` how many functions may
    call each other in a row, the first one not counted.
    For `delivery_days` an event from outside is known again, so that none is run twice, of up to `deliveries` of them.
    For `idempotency_s` a caller's idempotency key is known again, of up to `idempotency_keys` of them.
    A tenant may have `queue_per_tenant` calls queued: one more is refused, where whoever makes it can be told.
    Dead letters are kept for `dead_days`, the newest `dead_per_function` of each function.
    The record of an invocation goes `retention_days` after its end, 0 for never; a tenant may have a value of its own.
    `publish_bytes` bounds what is pushed to a channel in one message, as JSON.
    At its end a service sends what is left of its traces, for `trace_flush_s` at most.
    Up to `metrics_functions` functions, of up to `metrics_tenants` tenants, have labels of their own in the metrics.
    `trusted_proxies` are the addresses and networks, by commas, whose word on a caller's address and scheme is taken.
    """

    nats_url: str
    mongodb_url: str
    mongodb_database: str = "shoal"
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    health_fd: int = -1
    health_host: str = "127.0.0.1"
    health_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    seat: Annotated[str, Meta(max_length=100)] = ""
    trusted_proxies: str = "127.0.0.1"
    trace_flush_s: Annotated[float, Meta(ge=0, le=60)] = 0.5
    api_url: Annotated[str, Meta(max_length=1000)] = ""
    max_depth: Annotated[int, Meta(ge=0, le=16)] = 4
    drain_s: Annotated[float, Meta(ge=2, le=600)] = 7.0
    lease_s: Annotated[float, Meta(ge=1)] = 30.0
    cache_s: Annotated[float, Meta(ge=0)] = 30.0
    params_bytes: Annotated[int, Meta(gt=0, le=4 << 20)] = 1 << 20
    result_bytes: Annotated[int, Meta(gt=0, le=6 << 20)] = 4 << 20
    output_bytes: Annotated[int, Meta(gt=0, le=1 << 20)] = 64 << 10
    metrics_functions: Annotated[int, Meta(ge=0, le=10_000)] = 200
    metrics_tenants: Annotated[int, Meta(ge=0, le=10_000)] = 50
    default_timeout_s: Annotated[float, Meta(gt=0, le=86_400)] = 30.0
    default_memory_mb: Annotated[int, Meta(ge=16, le=65_536)] = 128
    default_log_lines: Annotated[int, Meta(ge=0, le=100_000)] = 1000
    max_timeout_s: Annotated[float, Meta(gt=0, le=86_400)] = 300.0
    max_cpu_s: Annotated[float, Meta(gt=0, le=86_400)] = 300.0
    max_memory_mb: Annotated[int, Meta(ge=16, le=65_536)] = 1024
    max_log_lines: Annotated[int, Meta(ge=0, le=100_000)] = 10_000
    secret_key: str = ""
    secret_key_file: str = ""
    egress_private: bool = False
    egress_allow: str = ""
    egress_ca_file: str = ""
    egress_lookup_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    egress_connect_s: Annotated[float, Meta(gt=0, le=60)] = 10.0
    bus_timeout_s: Positive = 5.0
    stream_replicas: Annotated[int, Meta(ge=1, le=5)] = 1
    invoke_days: Positive = 7.0
    invoke_bytes: Annotated[int, Meta(ge=1 << 20)] = 4 << 30
    event_days: Positive = 7.0
    event_bytes: Annotated[int, Meta(ge=1 << 20)] = 8 << 30
    dedupe_s: Annotated[float, Meta(ge=1)] = 600.0
    publish_bytes: Annotated[int, Meta(gt=0, le=MOST_PUBLISHED)] = MOST_PUBLISHED
    delivery_days: Positive = 3.0
    deliveries: Annotated[int, Meta(ge=1000)] = 4_000_000
    queue_per_tenant: Annotated[int, Meta(ge=1)] = 200_000
    idempotency_s: Annotated[float, Meta(ge=1)] = 86_400.0
    idempotency_keys: Annotated[int, Meta(ge=1000)] = 1_000_000
    retention_days: Annotated[float, Meta(ge=0, le=36_500)] = 0.0
    dead_days: Positive = 30.0
    dead_per_function: Annotated[int, Meta(ge=1)] = 1000

    @property
    def bounds(self) -> Bounds:
        """The limits of a call: those of a function that asks for nothing, and the most that one may have."""
        most = Limits(
            timeout_s=self.max_timeout_s,
            cpu_s=self.max_cpu_s,
            memory_mb=self.max_memory_mb,
            output_bytes=self.output_bytes,
            log_lines=self.max_log_lines,
            result_bytes=self.result_bytes,
            params_bytes=self.params_bytes,
        )
        default = msgspec.structs.replace(
            most,
            timeout_s=min(self.default_timeout_s, self.max_timeout_s),
            memory_mb=min(self.default_memory_mb, self.max_memory_mb),
            log_lines=min(self.default_log_lines, self.max_log_lines),
        )
        return Bounds(default=default, most=most)

    @property
    def message_bytes(self) -> int:
        """The largest message that the bus has to carry, but for what a service adds: payload, names and headers.

        The bodies of requests and answers travel in base64.
        """
        return max(self.params_bytes, self.result_bytes) * 4 // 3 + _ENVELOPE_BYTES


def variable(service: str, field: str) -> str:
    """The environment variable of a field: of one service's section, or of the platform's when `service` is empty."""
    if field in _BARE:
        return _BARE[field]
    return f"SHOAL_{service.upper()}_{field.upper()}" if service else f"SHOAL_{field.upper()}"


def read(section: type[Section], *, prefix: str, environ: Mapping[str, str] = os.environ) -> Section:
    """The section's struct, filled from the environment. Raises ConfigError with one clear line."""
    names = {
        field.name: _BARE.get(field.name, prefix + field.name.upper()) for field in msgspec.structs.fields(section)
    }
    values = {field: environ[name] for field, name in names.items() if name in environ}
    for field in msgspec.structs.fields(section):
        if field.required and field.name not in values:
            message = f"{names[field.name]} is not set"
            raise ConfigError(message)
    try:
        return msgspec.convert(values, section, strict=False)
    except msgspec.ValidationError as error:
        field_name = str(error).rpartition("$.")[2].rstrip("`")
        name = names.get(field_name, field_name)
        message = f"{name}: {str(error).partition(' - at')[0]}, got {environ.get(name, '')!r}"
        raise ConfigError(message) from None


def refuse_unknown(service: str, section: type[msgspec.Struct], environ: Mapping[str, str] = os.environ) -> None:
    """Stop at a SHOAL_ variable that nobody reads: it is a typing mistake. Other services' own are left to them."""
    known = {variable("", name) for name in _field_names(Platform)} | OF_UP | set(_BARE.values())
    known |= {variable(service, name) for name in _field_names(section)}
    others = tuple(f"SHOAL_{name.upper()}_" for name in SERVICES if name != service)
    for name in sorted(environ):
        if name.startswith("SHOAL_") and name not in known and not name.startswith(others):
            message = f"{name} is not a setting of Shoal"
            raise ConfigError(message)


def wants_traces(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether OpenTelemetry's own variables ask for traces. Raises ConfigError for what is not served here."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporters = {name.strip() for name in environ.get("OTEL_TRACES_EXPORTER", "").split(",")} - {""}
    if exporters - {"otlp", "none"}:
        raise ConfigError(f"OTEL_TRACES_EXPORTER: otlp or none, got {environ['OTEL_TRACES_EXPORTER']!r}")
    is_on = "otlp" in exporters or (not exporters and any(environ.get(name) for name in _COLLECTOR))
    name = next((name for name in _PROTOCOL if environ.get(name)), "")
    if is_on and name and environ[name] != "http/protobuf":
        raise ConfigError(f"{name}: http/protobuf is what is spoken here, got {environ[name]!r}")
    return is_on


def _field_names(section: type[msgspec.Struct]) -> list[str]:
    return [field.name for field in msgspec.structs.fields(section)]
