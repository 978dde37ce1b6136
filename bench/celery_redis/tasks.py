"""The Celery application and its one task. Worker and client are told the broker on their command lines."""

from collections.abc import Callable
from functools import cache
from typing import Any

from celery import Celery
from RestrictedPython import compile_restricted, safe_globals
from RestrictedPython.Eval import default_guarded_getitem
from RestrictedPython.Guards import safer_getattr

from bench.tax import CODE

PREFETCH = 4
"""Celery's default. 1, 4 and 16 were tried: 16 was no better, 1 a little worse under load."""

app = Celery("bench")
app.conf.update(
    task_acks_late=True,
    task_track_started=True,
    worker_prefetch_multiplier=PREFETCH,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_pool_limit=32,  # a connection for each caller; without a pool every call would connect anew
    broker_connection_retry_on_startup=True,
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    result_expires=600,
)

Main = Callable[[dict[str, Any], dict[str, Any]], Any]


@cache
def load(code: str) -> Main:
    """The function's `main`: compiled and made once in each worker process."""
    space: dict[str, Any] = {**safe_globals, "_getattr_": safer_getattr, "_getitem_": default_guarded_getitem}
    exec(compile_restricted(code, "<function>", "exec"), space)
    main: Main = space["main"]
    return main


@app.task(name="bench.execute")
def execute(params: dict[str, Any]) -> Any:
    """Run the tax function."""
    return load(CODE)(params, {})
