"""Between NumPy arrays and the bodies of requests."""

import io
import json
from typing import Any

import numpy as np

from . import content_types


def decode(body: Any, content_type: str) -> Any:
    """Return the array in a body."""
    if content_type == content_types.NPY:
        return np.load(io.BytesIO(body), allow_pickle=False)
    text = body.decode() if isinstance(body, bytes) else body
    if content_type == content_types.CSV:
        return np.genfromtxt(io.StringIO(text), delimiter=",")
    return np.array(json.loads(text))


def encode(array: Any, content_type: str) -> Any:
    """Return an array as a body."""
    if content_type == content_types.NPY:
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        return buffer.getvalue()
    if content_type == content_types.CSV:
        stream = io.StringIO()
        np.savetxt(stream, np.atleast_2d(array), delimiter=",", fmt="%s")
        return stream.getvalue()
    return json.dumps(np.asarray(array).tolist())
