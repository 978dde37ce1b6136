"""`shoal completion`: a script with which a shell completes commands and options."""

from typing import Literal

ZSH_FUNCTION = "_cyclopts_shoal"
# The script alone defines a function that nobody calls, unless its file has the function's name.
_ZSH_CALL = f"""
if [[ ${{zsh_eval_context[-1]}} == *func ]]; then
  {ZSH_FUNCTION} "$@"
else
  compdef {ZSH_FUNCTION} shoal
fi
"""


def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
    """Print a script for a shell, which knows all commands and options.

    Example: shoal completion bash > ~/.local/share/bash-completion/completions/shoal
    """
    from cli.__main__ import app

    script = app().generate_completion(prog_name="shoal", shell=shell).rstrip()
    print(f"{script}\n{_ZSH_CALL}" if shell == "zsh" else script)
    return 0
