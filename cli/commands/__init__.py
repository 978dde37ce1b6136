"""One command a file: a docstring for `--help`, `arguments(parser)` and `run(options) -> exit code`."""
