"""The settings of the JavaScript mode."""

from typing import Literal

import msgspec


class JavascriptSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How many calls run, how long a process may take to start, and what a function may ask for."""

    # Calls that run side by side.
    slots: int = 4
    # From the start of a process until it listens.
    launch_timeout_s: float = 10.0
    # For what a handler has given to ctx.waitUntil, after its answer.
    wait_until_s: float = 30.0
    prepare_timeout_s: float = 10.0
    prepare_memory_mb: int = 256
    prepare_slots: int = 2
    # On disk, for large functions: their code, and what was compiled of it. What was used longest ago goes.
    compiled_bytes: int = 256 << 20
    # A net behind the API's own bound, SHOAL_API_CODE_BYTES.
    max_source_bytes: int = 4 << 20
    # Of one answer, all lines together; and of what a function asks the platform at one time.
    header_bytes: int = 64 << 10
    most_asks: int = 32
    # `weak` serves even where untrusted code could leave its process; `auto` refuses to.
    sandbox: Literal["auto", "weak"] = "auto"
    # Layers of the jail not to use.
    without: tuple[str, ...] = ()
