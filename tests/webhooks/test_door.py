"""The door of webhooks on a whole platform: every verdict, in its order, and what bounds a request."""

import asyncio
import hashlib
import json
import time
import zlib
from pathlib import Path

import httpx
import pytest

from tests.conftest import DOMAIN
from tests.people import shoal, stranger_to
from tests.platform import Platform
from tests.webhooks.conftest import BODY_WAIT_S, PARAMS_BYTES
from tests.webhooks.receiver import SECRET, WITHIN_S, Receiver, standard, told

UNVERIFIED = {"error": "signature verification failed"}
LENGTH = "def handler(request): return [len(request.body)]"
DIGEST = """
import hashlib
def handler(request):
    return [hashlib.sha256(request.body).hexdigest(), request.headers.get("content-encoding")]
"""
MISSING = {"error": "Function not found"}


async def test_it_is_taken_and_run(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET)
    body = b'{"type":"paid"}'
    answer = await receiver.send(hook, body, **standard(body))
    said = told(answer, 200)
    assert said == {"ok": True, "task_id": answer.headers["x-invocation-id"], "duplicate": False}
    assert "x-shoal-duplicate" not in answer.headers
    (entry,) = await receiver.logs(hook, 1)
    assert (entry["trigger"], entry["method"], entry["path"]) == ("webhook", "POST", hook.path)
    assert (entry["task_id"], entry["status_code"]) == (said["task_id"], 200)
    assert entry["consoleLogs"][0]["message"] == body.hex()


async def test_what_is_not_there_is_404(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET)
    app = hook.path.split("/")[2]
    await receiver.deploy("closed", enabled=False)
    body = {"name": "other", "runtime": "python", "code": "def main(): return 1", "triggers": [{"type": "http"}]}
    assert (await receiver.owner.post(f"/v1/{receiver.app}/functions", json=body)).status_code == 200
    for path in (f"{app}/webhook/closed", f"{app}/webhook/other", f"{app}/webhook/none", "nowhere/webhook/hook"):
        answer = await receiver.send(f"/v1/{path}", b"{}", **standard(b"{}"))
        assert told(answer, 404) == MISSING, path
    assert (await receiver.owner.delete(f"/v1/{receiver.app}/functions/hook")).status_code == 200
    async with asyncio.timeout(WITHIN_S):
        while (await receiver.send(hook, b"{}")).status_code != 404:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
async def test_another_method_is_405(receiver: Receiver, method: str) -> None:
    hook = await receiver.deploy(secret=SECRET)
    answer = await receiver.anyone.request(method, hook.path, headers=dict(standard(b"")))
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_an_app_is_named_by_its_slug_or_by_the_host_of_its_tenant(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET)
    by_slug = f"/v1/{receiver.app}/webhook/hook"
    assert (await receiver.send(by_slug, b"{}", **standard(b"{}"))).status_code == 200
    for host, status in ((f"default.{DOMAIN}", 200), (f"nobody.{DOMAIN}", 404), ("elsewhere.example", 200)):
        answer = await receiver.send(hook, b"{}", host=host, **standard(b"{}"))
        assert answer.status_code == status, (host, answer.text)
    assert (await receiver.send(hook, b"{}", host="a b", **standard(b"{}"))).status_code == 400


async def test_another_tenants_is_its_own_matter(receiver: Receiver, hooked: Platform) -> None:
    """By its public id it is there for everybody, by its slug for nobody else; asleep, the tenant takes nothing."""
    async with stranger_to(hooked) as stranger:
        theirs = Receiver(stranger, receiver.anyone, receiver.app)
        hook = await theirs.deploy(secret=SECRET)
    assert (await receiver.send(hook, b"1", **standard(b"1"))).status_code == 200
    by_slug = f"/v1/{receiver.app}/webhook/hook"
    assert (await receiver.send(by_slug, b"2", **standard(b"2"))).status_code == 404
    assert (await receiver.send(by_slug, b"2", host=f"elsewhere.{DOMAIN}", **standard(b"2"))).status_code == 200
    assert (await receiver.send(hook, b"3", host=f"default.{DOMAIN}", **standard(b"3"))).status_code == 404
    for active, status in (("--no-active", 404), ("--active", 200)):
        code, _, errors = await shoal("tenant", "set", "elsewhere", active, data_dir=hooked.data_dir)
        assert code == 0, errors
        async with asyncio.timeout(WITHIN_S):
            while (await receiver.send(hook, b"{}", **standard(b"{}"))).status_code != status:
                await asyncio.sleep(0.02)


async def test_a_forged_one_is_401_and_burns_nothing(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET)
    body, lines = b'{"n":1}', standard(b'{"n":1}', id="msg_real")
    wrong = {**lines, "webhook_signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}
    for forged in (wrong, {}, {**lines, "webhook_id": "msg_other"}, standard(body, secret="whsec_YWJj")):
        assert told(await receiver.send(hook, body, **forged), 401) == UNVERIFIED
    assert told(await receiver.send(hook, b'{"n":2}', **lines), 401) == UNVERIFIED
    for at in (time.time() - 301, time.time() + 330):
        old = standard(body, id="msg_real", at=at)
        assert told(await receiver.send(hook, body, **old), 401) == UNVERIFIED
    assert told(await receiver.send(hook, body, **lines), 200)["duplicate"] is False
    assert len(await receiver.logs(hook, 1)) == 1


async def test_a_source_that_is_not_allowed_is_403_before_anything_is_read(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET, allowed_sources="github,stripe")
    assert told(await receiver.send(hook, b"{}", **standard(b"{}")), 403) == {"error": "source not allowed"}
    answer = await receiver.send(hook, b"x" * (PARAMS_BYTES + 1), **standard(b"{}"))
    assert told(answer, 403) == {"error": "source not allowed"}


async def test_an_unsigned_one_is_taken_only_at_the_signed_url(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret_required=False)
    plain = told(await receiver.send(hook.path, b"{}"), 401)["error"]
    assert "URL" in plain
    assert hook.url != hook.path
    for url in (f"{hook.path}?sig=", f"{hook.url[:-1]}", f"{hook.path}?sig=%ff", f"{hook.path}?sig=" + "0" * 32):
        assert told(await receiver.send(url, b"{}"), 401)["error"] == plain, url
    assert told(await receiver.send(hook.url, b'{"n":1}'), 200)["duplicate"] is False
    assert told(await receiver.send(f"{hook.path}?a=1&{hook.url.partition('?')[2]}", b'{"n":2}'), 200)["ok"]


async def test_what_is_signed_is_verified_where_it_need_not_be(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret_required=False, secret=SECRET)
    body = b"{}"
    assert told(await receiver.send(hook.url, body, **standard(body, secret="whsec_YWJj")), 401) == UNVERIFIED
    assert told(await receiver.send(hook.path, body, **standard(body)), 200)["ok"]


async def test_a_secret_that_was_rotated_out_is_not_believed(receiver: Receiver) -> None:
    hook = await receiver.deploy(secret=SECRET)
    assert (await receiver.send(hook, b"{}", **standard(b"{}"))).status_code == 200
    newer = "whsec_" + "bmV3" * 10
    await receiver.deploy(secret=newer)
    async with asyncio.timeout(WITHIN_S):
        while (await receiver.send(hook, b"{}", **standard(b"{}"))).status_code != 401:
            await asyncio.sleep(0.02)
    assert (await receiver.send(hook, b"{}", **standard(b"{}", secret=newer))).status_code == 200


class TestBounds:
    async def test_a_body_that_says_that_it_is_too_long_is_not_read(self, receiver: Receiver, hooked: Platform) -> None:
        """100 MB are announced, and not one byte of them is sent."""
        hook = await receiver.deploy(secret=SECRET)
        head = f"POST {hook.path} HTTP/1.1\r\nHost: a\r\nContent-Length: {100 << 20}\r\n\r\n"
        status, body = await _spoken(hooked, head.encode())
        assert (status, json.loads(body)["error"]) == (413, f"The body is longer than {PARAMS_BYTES} bytes")

    async def test_a_body_without_a_length_is_read_up_to_the_bound(self, receiver: Receiver, hooked: Platform) -> None:
        hook = await receiver.deploy(secret=SECRET)
        before = _resident(hooked)

        async def endless():  # type: ignore[no-untyped-def]
            for _ in range(1600):
                yield b"x" * 65_536

        answer = await receiver.anyone.post(hook.path, content=endless(), headers=dict(_dashed(standard(b"{}"))))
        assert told(answer, 413)["error"] == f"The body is longer than {PARAMS_BYTES} bytes"
        assert _resident(hooked) - before < 32 << 20

    async def test_the_longest_body_passes_and_one_byte_more_does_not(self, receiver: Receiver) -> None:
        hook = await receiver.deploy(secret=SECRET, code=LENGTH, mode="sync")
        body = b"\xff" * PARAMS_BYTES
        assert told(await receiver.send(hook, body, **standard(body)), 200) == [PARAMS_BYTES]
        assert (await receiver.send(hook, body + b"x", **standard(body + b"x"))).status_code == 413

    async def test_a_compressed_body_is_handed_on_as_it_came(self, receiver: Receiver) -> None:
        """150 MB of zeros in as many kilobytes: nobody unpacks it."""
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        zeros = b"\0" * (1 << 20)
        bomb = b"".join(packer.compress(zeros) for _ in range(150)) + packer.flush()
        assert len(bomb) < PARAMS_BYTES
        hook = await receiver.deploy(code=DIGEST, secret=SECRET, mode="sync")
        answer = await receiver.send(hook, bomb, content_encoding="gzip", **standard(bomb))
        assert told(answer, 200) == [hashlib.sha256(bomb).hexdigest(), "gzip"]

    async def test_a_sender_that_is_slow_is_cut_off(self, receiver: Receiver, hooked: Platform) -> None:
        hook = await receiver.deploy(secret=SECRET)
        head = f"POST {hook.path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf"
        status, body = await _spoken(hooked, head.encode())
        assert (status, json.loads(body)["error"]) == (400, f"The body did not arrive within {BODY_WAIT_S:g} s")

    async def test_half_a_body_is_no_body(self, receiver: Receiver, hooked: Platform) -> None:
        """What was signed as it came so far is not run: its sender has gone."""
        hook = await receiver.deploy(secret=SECRET)
        lines = "".join(f"{name}: {value}\r\n" for name, value in _dashed(standard(b"half")))
        head = f"POST {hook.path} HTTP/1.1\r\nHost: a\r\n{lines}Content-Length: 9\r\n\r\nhalf"
        _, writer = await _connected(hooked)
        writer.write(head.encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        assert (await receiver.send(hook, b"whole", **standard(b"whole"))).status_code == 200
        (entry,) = await receiver.logs(hook, 1)
        assert entry["consoleLogs"][0]["message"] == b"whole".hex()

    @pytest.mark.parametrize("line", ["Host: a\r\nHost: b", "Content-Length: 2\r\nContent-Length: 3", "Host: a b"])
    async def test_a_head_that_says_two_things_is_400(self, receiver: Receiver, hooked: Platform, line: str) -> None:
        hook = await receiver.deploy(secret=SECRET)
        status, _ = await _spoken(hooked, f"POST {hook.path} HTTP/1.1\r\n{line}\r\n\r\n{{}}".encode())
        assert status == 400


def _dashed(lines: dict[str, str]) -> list[tuple[str, str]]:
    return [(name.replace("_", "-"), value) for name, value in lines.items()]


async def _connected(platform: Platform) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = httpx.URL(platform.ready["triggers"])
    return await asyncio.open_connection(url.host, url.port)


async def _spoken(platform: Platform, data: bytes) -> tuple[int, bytes]:
    """What is answered to these bytes, as far as its length says."""
    reader, writer = await _connected(platform)
    async with asyncio.timeout(WITHIN_S):
        writer.write(data)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        body = await reader.readexactly(int(length.partition(b":")[2]))
    writer.close()
    return int(head.split(b" ")[1]), body


def _resident(platform: Platform) -> int:
    """Bytes of memory that the service has now."""
    return int(Path(f"/proc/{platform.pid('triggers')}/statm").read_text().split()[1]) * 4096
