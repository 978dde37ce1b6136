"""Run the benchmark: start the contenders, run every section, print and write what was found."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console

from bench import machine, report
from bench.contenders import celery, floor, shoal
from bench.context import Context
from bench.options import Options, parse
from bench.processes import NotRun
from bench.sections import all_sections
from bench.table import Table
from shared.embedded import EmbeddedError

say = Console(width=None if sys.stdout.isatty() else 120)
RUNNING = {"floor": floor.running, "shoal": shoal.running, "celery": celery.running}


async def run(options: Options) -> int:
    """One run; the exit code is 1 when a section failed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _cancel, asyncio.current_task())
    load_before = os.getloadavg()
    tables: list[Table] = []
    absent = {name: "left out by --only" for name in RUNNING if name not in options.only}
    with tempfile.TemporaryDirectory(prefix="shoal-bench-") as name:
        async with AsyncExitStack() as stack:
            context = Context(options=options, folder=Path(name))
            for contender in options.only:
                await _start(contender, context, stack, absent)
            for section in all_sections(options.sections):
                say.print(f"[dim]{section.TITLE} …[/dim]")
                table = await _measure(section, context)
                if table is not None:
                    tables.append(table)
                    report.show(table, say)
    report.verdict(tables, say)
    if options.write:
        report.write(machine.describe(load_before), options, tables, absent)
    return 1 if any(table.failed for table in tables) else 0


async def _measure(section: ModuleType, context: Context) -> Table | None:
    """One section; when it fails, a table that says why, for it must not cost the figures of the others."""
    try:
        table: Table | None = await section.measure(context)
    except Exception as error:  # noqa: BLE001
        return Table(title=section.TITLE, columns=[], rows=[], failed=f"{type(error).__name__}: {error}")
    return table


async def _start(name: str, context: Context, stack: AsyncExitStack, absent: dict[str, str]) -> None:
    """Start a contender and put it into the context, or say in one line why it stays out."""
    say.print(f"[dim]starting {name} …[/dim]")
    (context.folder / name).mkdir()
    make: AbstractAsyncContextManager[Any] = RUNNING[name](context.options, context.folder / name)
    try:
        setattr(context, name, await stack.enter_async_context(make))
    except (NotRun, EmbeddedError) as why:
        absent[name] = str(why)
        say.print(f"[yellow]{name}: not run ({why})[/yellow]", highlight=False)


def _cancel(task: asyncio.Task[Any] | None) -> None:
    if task is not None:
        task.cancel()


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        sys.exit(asyncio.run(run(parse(sys.argv[1:]))))
    sys.exit(130)
