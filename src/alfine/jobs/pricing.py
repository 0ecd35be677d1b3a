"""The price of a tuning job's instances, from the prices of a home."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alfine.core.settings import put_setting, setting_of
from alfine.core.spec import DEFINITION, DEFINITIONS
from alfine.store.config import Prices

PRICE = "price-per-hour"  # the setting that names the price


def with_price(request: Mapping[str, Any], prices: Prices) -> Mapping[str, Any]:
    """Return a request with the price of its instances, unless it names a price or no price is known.

    With several definitions it is the highest of their prices: it bounds what the job can cost.
    """
    definitions = [request.get(DEFINITION), *(request.get(DEFINITIONS) or ())]
    prices_known = [_price(definition, prices) for definition in definitions if isinstance(definition, Mapping)]
    price = max((one for one in prices_known if one is not None), default=None)
    if price is None or setting_of(request, PRICE) is not None:
        return request
    changed = dict(request)
    put_setting(changed, PRICE, f"{price!r}")
    return changed


def _price(definition: Mapping[str, Any], prices: Prices) -> float | None:
    config = definition.get("ResourceConfig") or definition.get("HyperParameterTuningResourceConfig") or {}
    instance = (config.get("InstanceConfigs") or [config])[0]
    spot = bool(definition.get("EnableManagedSpotTraining"))
    return prices.of(str(instance.get("InstanceType", "local")), spot=spot)
