"""Training on several hosts. Hosts on one machine don't share the work here: the first one trains, on its own data."""

from collections.abc import Callable
from typing import Any


def rabit_run(
    exec_fun: Callable[..., Any],
    args: dict[str, Any],
    include_in_training: Any,
    hosts: list[str],
    current_host: str,
    *_: Any,
    update_rabit_args: bool = False,
    **__: Any,
) -> None:
    """Call `exec_fun` with `args` on the first host, and with is_master=True where `update_rabit_args` is true."""
    if current_host != min(hosts) or not include_in_training:
        print(f"{current_host} doesn't train: here the first of {len(hosts)} hosts trains alone.")
        return
    exec_fun(**{**args, **({"is_master": True} if update_rabit_args else {})})
