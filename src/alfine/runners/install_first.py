"""Lets the sandbox of a training job begin only once its script's requirements are installed, by another sandbox.

    python -I -S install_first.py NUMBER INSTALL … COMMAND …

runs INSTALL, a command of NUMBER words, to its end and then becomes COMMAND. The virtual environment can be written in the sandbox of
INSTALL alone: the script of COMMAND only reads it, so no training job changes what later ones with the same requirements.txt import.

This program is started for each training job whose requirements aren't installed yet. It imports only the standard library.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NoReturn


def main(number: int, words: list[str]) -> NoReturn:
    """Run the first `number` words as a command, and become the rest. Where the first fails, this process ends like it."""
    code = subprocess.run(words[:number], check=False).returncode
    if code:
        sys.exit(code if code > 0 else 128 - code)
    os.execvp(words[number], words[number:])  # noqa: S606 - the command is what this was started for


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
