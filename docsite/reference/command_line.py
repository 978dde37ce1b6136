"""The command line, as it describes itself."""

from cli.reference import page


def made() -> str:
    """The page."""
    return page()
