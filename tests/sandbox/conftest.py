"""What the attacks run in."""

from tests.python_mode.opening import mode, opened

__all__ = ["mode", "opened"]
