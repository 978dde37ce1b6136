"""What went wrong, as each dialect says it."""

from typing import get_args

from docsite.reference.tables import code, page, table
from services.api.dialects.rest.problems import STATUS
from services.api.dialects.webui import problems as webui
from shared.callers.refusals import FAULTS
from shared.domain import retry
from shared.domain.problem import Code, Problem

_ABOUT = """Everything that a caller can do wrong, and every part of the platform that may be away, has one of eight
codes within Shoal. Each dialect tells it in its own words; this page is made of the code. [Calling](../calling.md)
says what a failed function is told as."""
_MEANS: dict[str, str] = {
    "invalid": "something in the request is wrong; which field is said",
    "unauthenticated": "no token, or one that is not known or not good any more",
    "forbidden": "the role or the scopes do not allow it",
    "not_found": "there is no such thing, or it is another tenant's",
    "conflict": "it is there already, or was changed meanwhile",
    "too_large": "more bytes than may be sent",
    "rate_limited": "too many requests, or too many calls queued; `Retry-After` says when to come again",
    "unavailable": "a part of the platform is away: the same may be sent again",
}


def made() -> str:
    """The page."""
    heads = ("code", "means", "`/api/`", "`/v1/{app_id}/`", "plugins")
    return page(
        "Errors", _ABOUT, table(heads, map(_row, get_args(Code))),
        "## What a body looks like\n",
        table(("dialect", "body"), [
            ("`/api/`", '`{"error", "message", "detail"}`, one sentence thrice; `details` by field, `retry_after`'),
            ("`/v1/{app_id}/`", '`{"error": {"code", "message", "remediation"}}`, with `details` by field'),
            ("plugins", '`{"detail"}`, a sentence, or the faults of the fields'),
        ]),
        "## Failures of calls\n",
        "Not a caller's mistake but an end of an invocation: `Type: sentence` in its result. Which of them a "
        "[retry](../retries.md) is for follows from the type. All that are not here are of the class `error`.\n",
        table(("class", "types"), [
            ("`timeout`", _names(retry._TIMEOUTS)),  # noqa: SLF001 - the page tells what the rule knows
            ("`infrastructure`", _names(retry._INFRASTRUCTURE)),  # noqa: SLF001
            ("never tried again", _names(retry._LASTING)),  # noqa: SLF001
        ]),
    )  # fmt: skip


def _row(name: Code) -> tuple[str, str, str, str, str]:
    fault = FAULTS[name]
    plugins = str(webui.rendered(Problem(name, ""))[0])
    return code(name), _MEANS[name], str(STATUS[name]), f"{fault.status} {code(fault.code)}", plugins


def _names(names: frozenset[str]) -> str:
    return ", ".join(code(name) for name in sorted(names))
