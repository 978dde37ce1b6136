"""The `print` of a function."""

from typing import Any

from services.executor.modes.python.output import Output


class Printer:
    """The `print` of one call."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def print(
        self,
        *values: Any,
        sep: str | None = " ",
        end: str | None = "\n",
        file: None = None,
        flush: bool = False,
    ) -> None:
        """The built-in `print`, into what is kept of the call."""
        if file is not None:
            raise TypeError("print() takes no file here")
        separator = " " if sep is None else sep
        if type(separator) is not str or not (end is None or type(end) is str):
            raise TypeError("sep and end must be strings")
        self._output.write(separator.join(map(str, values)) + ("\n" if end is None else end))
