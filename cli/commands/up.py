"""Start Shoal on this machine: bus, store and all services, until Ctrl-C."""

import argparse
import asyncio
import json
import os
import sys

from cli.supervisor import run as supervisor
from cli.supervisor import settings
from shared.embedded import EmbeddedError


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options; each has an environment variable too."""
    parser.add_argument("--host", help="address of the public port (SHOAL_HOST, default 127.0.0.1)")
    parser.add_argument("--port", help="public port, 0 for any free one (SHOAL_PORT, default 8000)")
    parser.add_argument("--data-dir", help="folder for everything that is kept (SHOAL_DATA_DIR, default .shoal)")
    parser.add_argument("--workers", help="calls that run side by side (SHOAL_WORKERS, default: the executor's own)")


def run(options: argparse.Namespace) -> int:
    """Run until told to stop; 0 after an orderly end."""
    try:
        chosen = settings.read(vars(options), os.environ)
        return asyncio.run(supervisor.up(chosen, announce=_announce))
    except (settings.UpError, EmbeddedError) as error:
        print(f"shoal: {error}", file=sys.stderr)
        return 1


def _announce(url: str, token: str) -> None:
    example = json.dumps({"name": "Hello", "execution_mode": "app", "environment": "python", "is_active": True})
    print(
        f"\nShoal is up at {url}\nAdmin token: {token}\n\nCreate a function:\n\n"
        f"  curl -X POST {url}/api/apps/demo/functions/ \\\n"
        f"    -H 'Authorization: Bearer {token}' \\\n"
        f"    -H 'Content-Type: application/json' \\\n"
        f"    -d '{example}'\n\nCtrl-C stops it; everything is kept.\n",
        flush=True,
    )
