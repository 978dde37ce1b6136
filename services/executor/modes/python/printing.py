"""What a function prints, kept in order and within its bound."""

from typing import Any


class Output:
    """Collects the printed text of one call; what goes past `limit_bytes` (UTF-8) is dropped and noted."""

    def __init__(self, limit_bytes: int) -> None:
        self._kept = bytearray()
        self._limit_bytes = limit_bytes
        self.truncated = False

    def write(self, text: str) -> None:
        """Keep the text as far as there is room. Lone surrogates, which UTF-8 cannot hold, are escaped."""
        room_bytes = self._limit_bytes - len(self._kept)
        # A character is a byte at least, so no more of them than this can fit: one huge print costs no second copy.
        encoded = text[: room_bytes + 1].encode("utf-8", "backslashreplace")
        if len(encoded) > room_bytes:
            self.truncated = True
            encoded = encoded[:room_bytes]
        self._kept += encoded

    def text(self) -> str:
        """All that was kept, whole characters only."""
        return self._kept.decode("utf-8", "ignore")


class Printer:
    """What the compiled code uses in place of `print`: every scope of one call gets the same one."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def __call__(self) -> str:
        """The value of the name `printed`."""
        return self._output.text()

    def _call_print(
        self,
        *values: Any,
        sep: str | None = " ",
        end: str | None = "\n",
        file: None = None,
        flush: bool = False,
    ) -> None:
        if file is not None:
            raise TypeError("print() takes no file here")
        separator = " " if sep is None else sep
        if type(separator) is not str or not (end is None or type(end) is str):
            raise TypeError("sep and end must be strings")
        self._output.write(separator.join(map(str, values)) + ("\n" if end is None else end))
