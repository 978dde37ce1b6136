"""A process that wants a lease, and writes down each thing that only its owner may do: `contender URL NAME LASTS_S`.

Each line is the name, a word, and the moment on the machine's own clock. With a fourth argument its wall clock is wrong
by so many seconds.
"""

import asyncio
import signal
import sys
import time
from contextlib import suppress

from shared.bus import broker
from shared.bus.leases import Leases
from shared.domain.problem import Problem


async def contend(url: str, name: str, lasts_s: float) -> None:
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    async with broker.connect(url, name=name, timeout_s=1) as bus:
        leases = Leases(bus, name, lasts_s)
        async with leases.at_hand():
            say(name, "ready")
            while not ending.is_set():
                with suppress(Problem):
                    held = await leases.take("test", "thing")
                    while held is not None and not ending.is_set():
                        if not held.is_sure():
                            say(name, "lost")
                            break
                        say(name, "acts")
                        await asyncio.sleep(0.01)
                await asyncio.sleep(0.05)


def say(name: str, word: str) -> None:
    print(name, word, time.clock_gettime(time.CLOCK_MONOTONIC), flush=True)


if __name__ == "__main__":
    url, name, lasts_s, *wrong_s = sys.argv[1:]
    if wrong_s:
        true = time.time
        time.time = lambda: true() + float(wrong_s[0])
    asyncio.run(contend(url, name, float(lasts_s)))
