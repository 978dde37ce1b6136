"""Lines that come in pieces."""

from services.executor.modes.javascript.lines import Lines


def test_lines_are_whole_however_they_are_cut() -> None:
    text = b"one\n\ntwo\nthree"
    for size in range(1, len(text) + 1):
        lines = Lines()
        told = [line for begin in range(0, len(text), size) for line in lines.feed(text[begin : begin + size])]
        assert (told, bytes(lines.rest)) == ([b"one", b"", b"two"], b"three")


def test_a_long_line_is_not_copied_for_every_piece_of_it() -> None:
    lines = Lines()
    lines.feed(b"x" * 4_000_000)
    held = lines.rest
    assert lines.feed(b"y") == []
    assert lines.rest is held
