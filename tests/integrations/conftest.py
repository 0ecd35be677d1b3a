"""For the tests of integrations."""

import os
from importlib.util import find_spec

# Keras's own choice would be TensorFlow, a download of several hundred MB.
os.environ.setdefault("KERAS_BACKEND", "jax" if find_spec("jax") else "torch")
