"""`shoal completion`: a script with which a shell completes commands and options."""

from typing import Literal


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print a script for a shell, which knows all commands and options.

    Example: shoal completion bash > ~/.local/share/bash-completion/completions/shoal
    """
    from cli.__main__ import app

    print(app().generate_completion(prog_name="shoal", shell=shell))
    return 0
