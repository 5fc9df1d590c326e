"""`cache-lookup-value`, `cache-store-value`, `cache-remove-value`: values kept in memory.

As on the real gateway nothing here is atomic: two calls may both miss.
"""

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.site import EVERYWHERE, Policy, Site, Step

_CACHING = ("prefer-external", "internal", "external")
_ENTRIES = 10_000


def _check_kind(element: Element, site: Site) -> None:
    kind = site.literal(element, "caching-type", "prefer-external")
    if kind not in _CACHING:
        site.problem(element, f"caching-type is one of {', '.join(_CACHING)}")
    elif kind == "external":
        site.problem(element, "an external cache is not supported")


def _compile_lookup(element: Element, site: Site) -> Step:
    _check_kind(element, site)
    key, variable = site.attribute(element, "key"), site.literal(element, "variable-name")
    default = (
        site.attribute(element, "default-value") if "default-value" in element.attributes else None
    )

    async def step(context: Context) -> bool:
        found = context.services.cache.get(key.text(context))
        if found is not None and found[1] > context.services.monotonic():
            context.variables[variable] = found[0]
        elif default is not None:
            context.variables[variable] = default.get(context)
        return False

    return step


def _compile_store(element: Element, site: Site) -> Step:
    _check_kind(element, site)
    key, value = site.attribute(element, "key"), site.attribute(element, "value")
    duration = site.number(element, "duration", 60, low=1, high=365 * 86_400)

    async def step(context: Context) -> bool:
        cache, now = context.services.cache, context.services.monotonic()
        if len(cache) >= _ENTRIES:
            for name in [name for name, (_, end) in cache.items() if end <= now]:
                del cache[name]
            if len(cache) >= _ENTRIES:
                cache.pop(next(iter(cache)))
        cache[key.text(context)] = (value.get(context), now + duration.integer(context))
        return False

    return step


def _compile_remove(element: Element, site: Site) -> Step:
    _check_kind(element, site)
    key = site.attribute(element, "key")

    async def step(context: Context) -> bool:
        context.services.cache.pop(key.text(context), None)
        return False

    return step


LOOKUP = Policy(
    "cache-lookup-value",
    EVERYWHERE,
    _compile_lookup,
    {"key": True, "variable-name": True, "default-value": False, "caching-type": False},
)
STORE = Policy(
    "cache-store-value",
    EVERYWHERE,
    _compile_store,
    {"key": True, "value": True, "duration": True, "caching-type": False},
)
REMOVE = Policy(
    "cache-remove-value", EVERYWHERE, _compile_remove, {"key": True, "caching-type": False}
)
