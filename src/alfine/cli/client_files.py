"""The files in the home's folder `client`, to which the variables of `alfine client` point."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

FOLDER = "client"

STARTER = b"""# Written by `alfine client`; what it does stands in alfine_client_hook.py.
import sys

if sys.version_info >= (3, 7):
    import alfine_client_hook

    alfine_client_hook.start()
"""
"""The sitecustomize.py: every Python of the shell runs it at its start, also one that is too old for the hook."""


def python_path(home: Path, before: str) -> str:
    """Return PYTHONPATH with the folder whose sitecustomize.py leads the SDKs' requests for STS.

    Args:
        home: The home.
        before: The PYTHONPATH up to now.
    """
    folder = home / FOLDER / "python"
    _write(folder / "alfine_client_hook.py", resources.files("alfine.cli").joinpath("site_hook.py").read_bytes())
    _write(folder / "sitecustomize.py", STARTER)
    others = [name for name in before.split(os.pathsep) if name and name != str(folder)]
    return os.pathsep.join([str(folder), *others])


def certificate_bundle(home: Path, certificate: str, environment: Mapping[str, str | None]) -> str:
    """Return the path of a file with the server's certificate, beside those that AWS's clients trust without it.

    Args:
        home: The home.
        certificate: The file of the server's certificate (PEM).
        environment: The variables before `alfine client`: an AWS_CA_BUNDLE of the user's is kept in the file.
    """
    import botocore

    trusted = environment.get("AWS_CA_BUNDLE") or Path(botocore.__file__).parent / "cacert.pem"
    bundle = home / FOLDER / "certificates.pem"
    _write(bundle, Path(trusted).read_bytes() + b"\n" + Path(certificate).read_bytes())
    return str(bundle)


def _write(file: Path, content: bytes) -> None:
    """Replace the file at once, since programs may be reading it."""
    if file.is_file() and file.read_bytes() == content:
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=file.parent)
    with os.fdopen(handle, "wb") as written:
        written.write(content)
    Path(draft).rename(file)
