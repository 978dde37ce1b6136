"""`python -m docsite [FOLDER]`: the documentation as a site, in `site/` unless told otherwise."""

import sys
from pathlib import Path

from docsite.build import Broken, build

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Build; 1 where something in the pages is wrong."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site").resolve()
    try:
        print(build(ROOT, site), end="")
    except Broken as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The documentation is in {site}: open {site / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
