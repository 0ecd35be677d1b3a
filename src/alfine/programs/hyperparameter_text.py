"""The text of a static hyperparameter, out of the JSON quotes that some clients put around it."""

from __future__ import annotations

import json


def unquoted(text: str) -> str:
    """Return the string that a JSON string stands for, and any other text as it is.

    The framework estimators of the SageMaker SDK send every hyperparameter as JSON («"train.py"» with the quotes), all other
    clients send plain text.

    Example:
        >>> unquoted('"gbtree"'), unquoted("gbtree"), unquoted("5")
        ('gbtree', 'gbtree', '5')
    """
    try:
        value = json.loads(text)
    except (TypeError, ValueError):  # TypeError: a job file has a number here, which `read_spec` refuses
        return text
    return value if isinstance(value, str) else text
