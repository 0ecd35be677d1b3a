"""python -m alfine: the same as the command `alfine`."""

from alfine.cli import main

if __name__ == "__main__":
    main(prog_name="alfine")
