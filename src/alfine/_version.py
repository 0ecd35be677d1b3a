"""The version of this package, stated once: `pyproject.toml` and `alfine.__version__` read it here."""

__version__ = "0.1.0"
