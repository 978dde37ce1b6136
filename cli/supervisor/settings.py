"""What `shoal up` was asked for: options first, then the environment, then the defaults."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from shared import config, log_lines
from shared.embedded import LOOPBACK

_HIGHEST_PORT = 65535
_DRAIN_S = "2.5"
"""Shorter than a service's own default: here one waits at a terminal for the end."""


class UpError(Exception):
    """Something the user has to put right, in one line."""


class Settings(NamedTuple):
    """`environ` is what every service inherits; `mongod` is the server's binary where it is not to be searched for.

    `drain_s` is how long a service may finish what runs, and the measure of the supervisor's own patience.
    """

    host: str
    port: int
    data_dir: Path
    workers: int | None
    nats_url: str | None
    mongodb_url: str | None
    mongod: str | None
    token: str | None
    drain_s: float
    log_format: log_lines.Format
    log_level: str
    environ: dict[str, str]


def read(options: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """Raises UpError for a value that cannot be."""

    def given(option: str) -> str | None:
        return options.get(option) or environ.get(f"SHOAL_{option.upper()}") or None

    workers = given("workers")
    inherited = {name: value for name, value in environ.items() if name not in config.OF_UP}
    inherited.setdefault("SHOAL_DRAIN_S", _DRAIN_S)
    inherited.setdefault("SHOAL_EGRESS_PRIVATE", "true")  # webhooks on one's own machine, where Shoal is tried out
    shared = _shared(inherited)
    return Settings(
        host=given("host") or LOOPBACK,
        port=_whole("port", given("port") or "8000", least=0, most=_HIGHEST_PORT),
        data_dir=Path(given("data_dir") or ".shoal").absolute(),
        workers=_whole("workers", workers, least=1, most=config.MOST_CALLS) if workers else None,
        nats_url=environ.get("NATS_URL") or None,
        mongodb_url=environ.get("MONGODB_URL") or None,
        mongod=given("mongod"),
        token=given("admin_token"),
        drain_s=shared.drain_s,
        log_format=shared.log_format,
        log_level=shared.log_level,
        environ=inherited,
    )


class _NoneOfItsOwn(msgspec.Struct):
    pass


def _shared(environ: Mapping[str, str]) -> config.Platform:
    """A variable that every service would refuse is refused here, once; what is one service's own is left to it."""
    addresses = {"NATS_URL": "", "MONGODB_URL": ""}
    try:
        config.refuse_unknown("up", _NoneOfItsOwn, environ)
        return config.read(config.Platform, prefix="SHOAL_", environ={**environ, **addresses})
    except config.ConfigError as error:
        raise UpError(str(error)) from None


def _whole(name: str, text: str, *, least: int, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise UpError(f"--{name} (SHOAL_{name.upper()}) must be a whole number from {least} to {most}, got {text!r}")
    return number
