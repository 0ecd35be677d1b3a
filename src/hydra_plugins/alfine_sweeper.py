"""The plug-in that Hydra finds in its namespace package: `python app.py --multirun hydra/sweeper=alfine`."""

from alfine.integrations import hydra


class AlfineSweeper(hydra.AlfineSweeper):
    """alfine's sweeper, in the package where Hydra wants its plug-ins to be defined."""
