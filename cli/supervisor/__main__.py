"""`python -m cli.supervisor`: what `shoal up` becomes when its options are in the environment."""

import asyncio
import json
import os
import sys

from cli.supervisor import run, settings
from shared import log_lines
from shared.embedded import EmbeddedError


def main() -> int:
    """Run until told to stop; 0 after an orderly end."""
    try:
        asked = settings.read({}, os.environ)
        log_lines.configure(asked.log_format, asked.log_level, "up")
        return asyncio.run(run.up(asked, announce=_announce))
    except (settings.UpError, EmbeddedError) as error:
        print(f"shoal: {error}", file=sys.stderr)
        return 1


def _announce(url: str, token: str) -> None:
    """For a person at a terminal. Elsewhere the output is kept, as by a journal: a token has no place in it."""
    if not sys.stdout.isatty():
        return
    example = json.dumps({"name": "Hello", "execution_mode": "app", "environment": "python", "is_active": True})
    print(
        f"\nShoal is up at {url}\nAdmin token: {token}\n\nCreate a function:\n\n"
        f"  curl -X POST {url}/api/apps/demo/functions/ \\\n"
        f"    -H 'Authorization: Bearer {token}' \\\n"
        f"    -H 'Content-Type: application/json' \\\n"
        f"    -d '{example}'\n\nCtrl-C stops it; everything is kept.\n",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
