"""The page on which the description can be read and tried: one file, made of three, that loads nothing else."""

import base64
import hashlib
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent


@cache
def html() -> bytes:
    """The page."""
    page = _read("page.html")
    return page.replace("/*style*/", _read("page.css")).replace("/*script*/", _read("page.js")).encode()


@cache
def headers() -> dict[str, str]:
    """What a browser may do with the page: run its own script, and ask the host that it came from."""
    script, style = (_hash(_read(name)) for name in ("page.js", "page.css"))
    policy = (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    return {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }


def _read(name: str) -> str:
    return (_HERE / name).read_text()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
