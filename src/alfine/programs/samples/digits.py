"""Images of digits in place of MNIST: drawn with seven strokes, moved and blurred by noise, in MNIST's sizes and formats."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import starmap

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

SIDE = 28
"""Width and height of an image in pixels."""

SIZES = {"train": 500, "t10k": 100}
"""Images of each part."""

LEVEL = 1
"""Of gzip: noise hardly compresses."""

KEPT = 400
"""Images of the training part that train; the rest of it validates, where a format has such a part."""

STROKES = {
    "top": (slice(4, 7), slice(8, 20)),
    "middle": (slice(13, 16), slice(8, 20)),
    "bottom": (slice(22, 25), slice(8, 20)),
    "upper left": (slice(4, 15), slice(7, 10)),
    "upper right": (slice(4, 15), slice(18, 21)),
    "lower left": (slice(14, 25), slice(7, 10)),
    "lower right": (slice(14, 25), slice(18, 21)),
}
"""Rows and columns of the strokes of a seven-segment display."""

WITHOUT = {
    0: ("middle",),
    1: ("top", "middle", "bottom", "upper left", "lower left"),
    2: ("upper left", "lower right"),
    3: ("upper left", "lower left"),
    4: ("top", "bottom", "lower left"),
    5: ("upper right", "lower left"),
    6: ("upper right",),
    7: ("middle", "bottom", "upper left", "lower left"),
    8: (),
    9: ("lower left",),
}
"""The strokes that each digit doesn't have."""


@cache
def drawn(part: str) -> tuple[Bytes, Bytes]:
    """Return images (n, 28, 28) and labels (n,).

    Args:
        part: `train` or `t10k`.
    """
    random = np.random.default_rng(SIZES[part])
    labels = random.integers(0, 10, SIZES[part]).astype(np.uint8)
    shifts = random.integers(-2, 3, (len(labels), 2)).tolist()
    plain = np.stack([np.roll(_digit(label), shift, (0, 1)) for label, shift in zip(labels, shifts, strict=True)])
    noisy = plain * random.uniform(0.6, 1, (len(labels), 1, 1)) + random.normal(0, 25, plain.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), labels


def _digit(label: int) -> npt.NDArray[np.float64]:
    image = np.zeros((SIDE, SIDE))
    for name, place in STROKES.items():
        if name not in WITHOUT[int(label)]:
            image[place] = 255
    return image


def _idx(part: str, kind: str) -> bytes:
    images, labels = drawn(part)
    values = images if kind == "images" else labels
    head = struct.pack(">BBBB", 0, 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape)
    return gzip.compress(head + values.tobytes(), LEVEL, mtime=0)


def _npy(values: Bytes | npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _numpy(part: str, kind: str, *, scaled: bool) -> bytes:
    images, labels = drawn(part)
    if kind == "labels":
        return _npy(labels)
    return _npy((images / 255).astype(np.float32) if scaled else images)


def pickled() -> bytes:
    """Return mnist.pkl.gz: training, validation and test data, each a pair of images (n, 784) from 0 to 1 and labels."""
    images, labels = drawn("train")
    flat, tested = (images.reshape(-1, SIDE**2) / 255).astype(np.float32), drawn("t10k")
    test = (tested[0].reshape(-1, SIDE**2) / 255).astype(np.float32), tested[1].astype(np.int64)
    whole = labels.astype(np.int64)
    return gzip.compress(
        pickle.dumps(((flat[:KEPT], whole[:KEPT]), (flat[KEPT:], whole[KEPT:]), test), 2), LEVEL, mtime=0
    )


def libsvm(part: str) -> bytes:
    """Return a part in libsvm format, with indices from 1."""
    images, labels = drawn(part)
    rows = starmap(_libsvm_line, zip(labels.tolist(), images.reshape(len(labels), -1), strict=True))
    return ("\n".join(rows) + "\n").encode()


def _libsvm_line(label: int, image: Bytes) -> str:
    return " ".join([str(label), *(f"{index + 1}:{image[index]}" for index in np.flatnonzero(image))])


IDX: Mapping[str, Callable[[], bytes]] = {
    f"{part}-{kind}-idx{dimensions}-ubyte.gz": partial(_idx, part, kind)
    for part in SIZES
    for kind, dimensions in (("images", 3), ("labels", 1))
}
"""The files of MNIST's own site."""

NUMPY: Mapping[str, Callable[[], bytes]] = {
    f"{'train' if part == 'train' else 'test'}/input_{'train' if part == 'train' else 'test'}{ending}.npy": partial(
        _numpy, part, kind, scaled=False
    )
    for part in SIZES
    for kind, ending in (("images", ""), ("labels", "_labels"))
}

TENSORFLOW: Mapping[str, Callable[[], bytes]] = {
    f"{'train' if part == 'train' else 'eval'}_{'data' if kind == 'images' else 'labels'}.npy": partial(
        _numpy, part, kind, scaled=True
    )
    for part in SIZES
    for kind in ("images", "labels")
}
"""The files of the TensorFlow examples."""
