"""Celery's load client: `--processes` times `--threads` callers, each waiting for its result. Prints a Sample.

Callers may be spread over processes, because one process of many threads can be held back by its own interpreter lock:
the benchmark tries both ways and keeps the better.
"""

import argparse
import multiprocessing
import resource
import threading
import time
from array import array
from multiprocessing.connection import Connection

import msgspec

from bench.celery_redis.tasks import app, execute
from bench.leash import follow_parent
from bench.sample import summarize
from bench.tax import EXPECT, PARAMS

RESULT_LIMIT_S = 30.0


def call_until(start_ns: int, end_ns: int, found: "array[int]", served: "array[int]") -> None:
    """One caller: ask, wait, again. Calls that end in the warm-up or after the window are not timed."""
    while (sent := time.perf_counter_ns()) < end_ns:
        result = execute.delay(PARAMS)
        value = result.get(timeout=RESULT_LIMIT_S)
        now = time.perf_counter_ns()
        if str(value["total"]) != EXPECT:
            raise RuntimeError(f"wrong answer: {value}")
        served.append(1)
        if start_ns <= now < end_ns:
            found.append(now - sent)


def caller_process(arguments: argparse.Namespace, barrier: threading.Barrier, results: Connection) -> None:
    """All threads of one process; sends latencies, calls served and CPU seconds up the pipe."""
    follow_parent()
    app.conf.update(broker_url=arguments.redis, result_backend=arguments.redis)
    execute.delay(PARAMS).get(timeout=RESULT_LIMIT_S)  # connect before the clock runs
    barrier.wait(RESULT_LIMIT_S)
    start_ns = time.perf_counter_ns() + int(arguments.warm * 1e9)
    end_ns = start_ns + int(arguments.seconds * 1e9)
    columns = [(array("q"), array("b")) for _ in range(arguments.threads)]
    threads = [threading.Thread(target=call_until, args=(start_ns, end_ns, *pair)) for pair in columns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(arguments.warm + arguments.seconds + RESULT_LIMIT_S)
    used = resource.getrusage(resource.RUSAGE_SELF)
    results.send(
        (
            [latency for found, _ in columns for latency in found],
            sum(len(served) for _, served in columns),
            used.ru_utime + used.ru_stime,
        )
    )


def main() -> None:
    """Start the callers together and add up what they saw."""
    parser = argparse.ArgumentParser(prog="python -m bench.celery_redis.client")
    parser.add_argument("--redis", required=True)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--warm", type=float, default=1.0)
    arguments = parser.parse_args()
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(arguments.processes)
    pipes = []
    for _ in range(arguments.processes):
        near, far = context.Pipe(duplex=False)
        context.Process(target=caller_process, args=(arguments, barrier, far), daemon=True).start()
        pipes.append(near)
    parts = []
    for near in pipes:
        if not near.poll(arguments.seconds + arguments.warm + 2 * RESULT_LIMIT_S):
            raise SystemExit("a caller process did not report")
        parts.append(near.recv())
    sample = summarize(
        [latency for latencies, _, _ in parts for latency in latencies],
        seconds=arguments.seconds,
        served=sum(served for _, served, _ in parts),
        client_cpu=sum(cpu for _, _, cpu in parts) / (arguments.seconds + arguments.warm),
    )
    print(msgspec.json.encode(sample).decode())


if __name__ == "__main__":
    main()
