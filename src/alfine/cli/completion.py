"""alfine completion SHELL: print the lines that let a shell complete alfine's commands, options and job names."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")

VARIABLE = "_ALFINE_COMPLETE"
"""Environment variable by which the lines ask alfine for completions; click derives it from the program's name."""

ZSH_LOADS = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }"
"""The line that loads zsh's completion where its settings don't: without it, there is no command `compdef`. It follows «#compdef», which is the
first line of a file of completions.
"""

EPILOG = """
\b
Examples:
  echo 'eval "$(alfine completion bash)"' >> ~/.bashrc
  echo 'eval "$(alfine completion zsh)"' >> ~/.zshrc
  alfine completion fish > ~/.config/fish/completions/alfine.fish
"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(*, shell: str) -> None:
    """Print the lines that let SHELL complete commands, options and names of jobs with the Tab key.

    They take effect in a new shell. Names are those of the home or the server that the command line or the environment names.
    """
    from click.shell_completion import get_completion_class

    from alfine.cli import main

    chosen = get_completion_class(shell)
    assert chosen is not None, shell
    first, rest = chosen(main, {}, "alfine", VARIABLE).source().split("\n", 1)
    click.echo("\n".join([first, *([ZSH_LOADS] if shell == "zsh" else []), rest]))
