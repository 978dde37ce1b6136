"""Code that means harm, or might as well: it hurts only itself.

After each of them the same function and another tenant's are called again, and answer.
"""

import asyncio
import json
import os
import re
import time

import msgspec
import pytest

from services.executor.mode import Call
from services.executor.modes.javascript import deno
from services.executor.modes.javascript.mode import JavascriptMode
from shared.domain.outcome import Outcome
from shared.domain.request import Request, Response
from tests.javascript_mode.calling import Platform, Run, answer_of, call_of, said

INNOCENT = "export default () => 'well'"
# What a function does when it is asked to, and answers otherwise.
WHEN_ASKED = """export default async (req) => {
  if (new URL(req.url).search === "?do") await harm(req);
  return "well";
};
const never = () => new Promise(() => {});
"""

ENDS = {
    "endless loop": ("function harm() { for (;;); }", "TimeoutError"),
    "endless microtasks": (
        "function harm() { const next = () => Promise.resolve().then(next); return next().then(never); }",
        "MemoryError|TimeoutError",  # whichever limit it meets first
    ),
    "regular expression": ("function harm() { /^(a+)+$/.test('a'.repeat(40) + 'b'); }", "TimeoutError"),
    "no answer": ("const harm = never;", "TimeoutError"),
    "heap": ("function harm() { const all = []; for (;;) all.push(new Array(1000).fill({})); }", "MemoryError"),
    "buffers": (
        "function harm() { const all = []; for (;;) all.push(new Uint8Array(8 << 20).fill(1)); }",
        "RangeError|MemoryError",  # whichever bound is met first
    ),
    "wasm memory": (
        "function harm() { const m = new WebAssembly.Memory({initial: 1}); for (;;) m.grow(256); }",
        "RangeError",
    ),
    "exit": ("function harm() { Deno.exit(0); }", "WorkerDied"),
    "process.exit": ("function harm() { process.exit(7); }", "WorkerDied"),
    "process.abort": ("function harm() { process.abort(); }", "WorkerDied"),
    "large error": ("function harm() { throw new Error('x'.repeat(8 << 20)); }", "Error"),
}


@pytest.mark.parametrize("name", ENDS)
async def test_it_ends_and_hurts_only_itself(mode: JavascriptMode, name: str) -> None:
    harm, error_type = ENDS[name]
    innocent = await call_of(mode, INNOCENT, tenant="globex")
    assert said(await mode.run(innocent)) == "well"
    call = await call_of(mode, WHEN_ASKED + harm, timeout_s=4.0)
    assert said(await mode.run(call)) == "well"
    asked = _asked(call)
    outcome = await mode.run(asked)
    assert outcome.error_type in error_type.split("|"), outcome
    assert said(await mode.run(call)) == "well"
    assert said(await mode.run(innocent)) == "well"


async def test_memory_is_bounded(run: Run) -> None:
    """Heap, buffers and what V8 takes of its own: all together stay within reach of the limit."""
    for grow in ("all.push(new Array(1000).fill({}))", "all.push(new Uint8Array(1 << 20).fill(1))"):
        outcome = await run(f"export default () => {{ const all = []; for (;;) {grow}; }}", memory_mb=64)
        assert outcome.status == "FAILURE"
        assert outcome.usage.peak_bytes < 300 << 20


async def test_a_large_answer_is_refused_without_being_kept(run: Run) -> None:
    outcome = await run("export default () => new Response('x'.repeat(100 << 20))", memory_mb=512)
    assert outcome.error_type == "ResultTooLarge"


async def test_an_endless_answer_is_refused(run: Run) -> None:
    source = """export default () => new Response(new ReadableStream({pull(c) { c.enqueue(new Uint8Array(1000)); }}))"""
    assert (await run(source)).error_type == "ResultTooLarge"


async def test_a_flood_of_headers_is_refused(run: Run) -> None:
    source = """export default () => new Response("x", {headers: {"x-a": "y".repeat(200_000)}})"""
    outcome = await run(source)
    assert outcome.status == "FAILURE"


async def test_raw_writes_to_every_descriptor_end_only_the_call(mode: JavascriptMode) -> None:
    source = """import net from "node:net";
    import fs from "node:fs";
    export default async () => {
      for (let fd = 3; fd < 64; fd++) {
        try {
          const socket = new net.Socket({fd}); socket.on("error", () => {});
          socket.write("HTTP/1.1 200 OK\\r\\ncontent-length: 1\\r\\n\\r\\nxx");
        } catch {}
        try { fs.writeSync(fd, "garbage"); } catch {}
      }
      await new Promise((ok) => setTimeout(ok, 50));
      return "unharmed";
    }"""
    innocent = await call_of(mode, INNOCENT, tenant="globex")
    call = await call_of(mode, source, timeout_s=3.0)
    for _ in range(3):
        outcome = await mode.run(call)
        if outcome.status == "FAILURE":
            assert outcome.message == "WorkerDied: the worker was ended: what it sent broke the protocol"
        else:  # it came first, and has forged its own answer
            assert answer_of(outcome).body in (b"unharmed", b"x")
        assert said(await mode.run(innocent)) == "well"
    quiet = await call_of(mode, WHEN_ASKED + "const harm = never;", code_hash=call.code_hash + "2")
    assert said(await mode.run(quiet)) == "well"  # the same tenant's


async def test_noise_on_standard_error_and_output_is_bounded(run: Run) -> None:
    quiet = await run(
        """export default () => { Deno.stdout.writeSync(new Uint8Array(9)); console.log("x"); return 1; }"""
    )
    assert [line.message for line in quiet.logs] == ["x"]
    forged = """export default () => {
      const text = '{"req":"other","message":"x"}\\n[1,2\\nplain\\n{"level":"x"}\\n';
      Deno.stderr.writeSync(new TextEncoder().encode(text)); return 1; }"""
    outcome = await run(forged)
    assert (said(outcome), outcome.logs, outcome.stderr) == (1, [], '[1,2\nplain\n{"level":"x"}\n')
    flood = "export default () => { const b = new Uint8Array(65536).fill(120); for (;;) Deno.stderr.writeSync(b); }"
    assert (await run(flood)).error_type == "WorkerDied"


DENIED = {
    "read": "Deno.readTextFileSync('/etc/passwd')",
    "read own code": "Deno.readTextFileSync(new URL(import.meta.url))",
    "node read": "process.getBuiltinModule('node:fs').readFileSync('/etc/passwd')",
    "write": "Deno.writeTextFileSync('/tmp/x', 'x')",
    "fetch": "await fetch('http://127.0.0.1:9999/')",
    "fetch file": "await fetch('file:///etc/passwd')",
    "connect": "await Deno.connect({port: 9999})",
    "listen": "Deno.listen({port: 0})",
    "unix": "await Deno.connect({transport: 'unix', path: Deno.args[0]})",
    "node connect": "await new Promise((ok, no) => process.getBuiltinModule('node:net').connect(9999).on('error', no))",
    "dns": "await Deno.resolveDns('localhost', 'A')",
    "run": "new Deno.Command('/usr/bin/id').outputSync()",
    "node run": """await new Promise((ok, no) => process.getBuiltinModule('node:child_process')
      .execFile('/usr/bin/id', (error) => error ? no(error) : ok()))""",
    "kill": "process.kill(process.ppid)",
    "ffi": "Deno.dlopen('libc.so.6', {})",
    "import remote": "await import('https://' + 'deno.land/std/version.ts')",
    "import npm": "await import('npm:' + 'left-pad')",
    "import file": "await import('file://' + '/etc/passwd')",
    "local storage": "localStorage.setItem('a', 'b')",
    "session storage": "sessionStorage.setItem('a', 'b')",
    "cache": "await caches.open('x')",
    "web worker": "new Worker('data:text/javascript,')",
    "gpu": "await navigator.gpu.requestAdapter()",
    "sqlite": "new (process.getBuiltinModule('node:sqlite').DatabaseSync)('/tmp/x.db')",
}


# By what each is denied: Deno's permissions, unless another wall is named.
DENIALS = {
    "read": "NotCapable: Requires read access to",
    "read own code": "NotCapable: Requires read access to",
    "node read": "NotCapable: Requires read access to",
    "write": "NotCapable: Requires write access to",
    "fetch": "NotCapable: Requires net access to",
    "fetch file": "NotCapable: Requires read access to",
    "connect": "NotCapable: Requires net access to",
    "listen": "NotCapable: Requires net access to",
    "unix": "NotCapable: Requires read access to",
    "node connect": "Error: getaddrinfo EPERM",
    "dns": "Error: proto error: io error: Permission denied",  # the jail: there is no resolver to read of
    "run": "NotCapable: Requires run access to",
    "node run": "NotCapable: Requires run access to",
    "kill": "NotCapable: Requires run access",
    "ffi": "NotCapable: Requires ffi access to",
    "import remote": "TypeError: Requires import access to",
    "import npm": "TypeError: npm specifiers were requested; but --no-npm is specified",
    "import file": "TypeError: Requires read access to",
    "local storage": "ReferenceError: localStorage is not defined",
    "session storage": "ReferenceError: sessionStorage is not defined",
    "cache": "ReferenceError: caches is not defined",
    "web worker": "ReferenceError: Worker is not defined",
    "gpu": "TypeError: Cannot read properties of undefined",
    "sqlite": "NotCapable: Requires read access to",
}


@pytest.mark.parametrize("name", DENIED)
async def test_what_is_outside_is_denied(run: Run, name: str) -> None:
    outcome = await run(f"export default async () => {{ {DENIED[name]}; return 'reached'; }}")
    assert outcome.status == "FAILURE", outcome
    assert outcome.message.startswith(DENIALS[name])


async def test_flags_set_while_it_runs_raise_no_limit(run: Run) -> None:
    source = """import v8 from "node:v8";
    export default () => {
      for (const name of ["max-old-space-size", "max-heap-size", "semi-space-growth-factor"]) {
        v8.setFlagsFromString(`--${name}=4000`);
      }
      const all = [];
      for (;;) {
        all.push(new Array(1 << 17).fill(all.length)); // a megabyte
        if (all.length % 8 === 0) console.log(String(all.length));
      }
    }"""
    outcome = await run(source, memory_mb=64, timeout_s=20.0)
    assert outcome.error_type == "MemoryError", outcome
    assert 8 <= max(int(line.message) for line in outcome.logs) <= 128  # megabytes


async def test_what_it_can_see_of_itself_is_of_no_use(
    mode: JavascriptMode, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deno, its own place and numbers of its own: no path, number or variable of the executor."""
    monkeypatch.setenv("SHOAL_TEST_SECRET", "only the executor may know this")
    source = """export default () => ({
      seen: [process.cwd(), Deno.cwd(), process.argv, process.execArgv, process.execPath, Deno.execPath(), Deno.args,
        Deno.mainModule, import.meta.url, process.title, process.env, Deno.env.toObject()],
      pids: [process.pid, process.ppid, Deno.pid],
      memory: Object.keys(process.memoryUsage()),
    })"""
    found = said(await run(source))
    own = str((await mode._starter.folder()).path)
    rest = json.dumps(found["seen"]).replace(str(deno.find()), "").replace(own, "")
    assert "/" not in re.sub(r"(file://)?/(w/\d+(/s|/index\.js)?|host\.js)", "", rest), rest
    assert "only the executor" not in rest
    if mode._starter.report()["namespaces"] == "on":
        assert os.getpid() not in found["pids"]
    assert found["memory"] == ["rss", "heapTotal", "heapUsed", "external", "arrayBuffers"]


async def test_what_is_outside_is_denied_while_the_code_loads(run: Run) -> None:
    for reach in (
        DENIED["unix"],
        DENIED["write"],
        "Deno.readTextFileSync('/etc/passwd')",
        "Deno.writeTextFileSync(Deno.args[0], '')",
    ):
        outcome = await run(f"{reach};\nexport default () => 'reached';")
        assert outcome.error_type == "NotCapable", outcome


async def test_a_thread_of_its_own_leaves_nothing_behind(mode: JavascriptMode) -> None:
    """A worker thread has a fresh localStorage, whose file all workers would share."""
    source = """import { Worker, isMainThread } from "node:worker_threads";
    export default (req) => new Promise((ok) => {
      const code = `const {parentPort} = require("node:worker_threads");
        let found;
        try { found = localStorage.getItem("k"); localStorage.setItem("k", "tenantA"); } catch (e) { found = e.name; }
        parentPort.postMessage(String(found));`;
      const thread = new Worker(code, {eval: true});
      thread.on("message", (found) => { thread.terminate(); ok(found); });
      thread.on("error", (error) => ok("error " + error.message));
      setTimeout(() => ok("silent"), 2000);
    });"""
    seen = [await mode.run(await call_of(mode, source, tenant=tenant)) for tenant in ("acme", "globex", "acme")]
    assert all("tenantA" not in str(outcome.response) for outcome in seen), seen


async def test_a_changed_environment_is_the_functions_own(mode: JavascriptMode) -> None:
    source = "export default () => { process.env.LD_PRELOAD = '/tmp/x.so'; process.env.DENO_DIR = '/tmp'; return 1; }"
    await mode.run(await call_of(mode, source))
    other = await mode.run(await call_of(mode, "export default () => process.env", tenant="globex"))
    assert said(other) == {}


async def test_an_error_that_nobody_catches_is_logged_and_no_more(run: Run) -> None:
    source = """export default async () => {
      Promise.reject(new Error("one")); setTimeout(() => { throw new Error("two"); });
      await new Promise((ok) => setTimeout(ok, 20)); return 1; }"""
    outcome = await run(source)
    assert said(outcome) == 1
    assert [line.level for line in outcome.logs] == ["error", "error"]
    assert "one" in outcome.logs[0].message
    assert "two" in outcome.logs[1].message


async def test_what_computes_on_after_its_answer_is_ended(mode: JavascriptMode) -> None:
    source = """const burn = () => { const t = Date.now(); while (Date.now() - t < 100); };
    export default () => { setInterval(burn, 100); return 1; }"""
    call = await call_of(mode, source)
    before = mode.facts()["counts"].get("cpu", 0)
    assert said(await mode.run(call)) == 1
    until = time.monotonic() + 10
    while mode.facts()["counts"].get("cpu", 0) == before:
        assert time.monotonic() < until
        await asyncio.sleep(0.05)


async def test_cpu_is_bounded(run: Run) -> None:
    outcome = await run("export default () => { for (;;); }", timeout_s=10.0, cpu_s=0.3)
    assert outcome.error_type == "CpuLimitExceeded"
    assert outcome.usage.cpu_s < 2


def _asked(call: Call) -> Call:
    return msgspec.structs.replace(call, request=Request(method="GET", url="https://api.example.org/", query="do"))


async def test_answers_that_are_not_taken_have_a_bound(mode: JavascriptMode) -> None:
    """The executor would hold them all for as long as the handler computes."""
    source = """export default async (req, ctx) => {
      const asked = Array.from({length: 30}, () => ctx.invoke("child").then(() => "taken", (error) => error.name));
      await new Promise((resolve) => setTimeout(resolve, 0));
      const end = Date.now() + 1500; while (Date.now() < end);
      return await Promise.all(asked);
    }"""
    host = Platform()
    host.answer = Outcome(status="SUCCESS", response=Response(body=b"x" * (2 << 20)))
    told = said(await mode.run(await call_of(mode, source, host=host)))
    assert set(told) == {"taken", "TooManyAnswers"}
    assert 10 <= told.count("taken") < 20
