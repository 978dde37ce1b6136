"""`python -m chaos`: kill everything, count everything. The exit code is 0 where nothing is wrong."""

import asyncio
import contextlib
import signal
import sys

from chaos import report
from chaos.options import Options, parse
from chaos.run import run


async def main(options: Options) -> int:
    """One run."""
    current = asyncio.current_task()
    assert current is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, current.cancel)
    found = await run(options, lambda line: print(line, flush=True))
    print("\n".join(report.lines(found)), flush=True)
    return 0 if found.is_clean else 1


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        sys.exit(asyncio.run(main(parse(sys.argv[1:]))))
    sys.exit(130)
