"""`choose`: the first `when` whose condition holds, else `otherwise`."""

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.site import EVERYWHERE, Policy, Site, Step, Value, run


def _compile(element: Element, site: Site) -> Step:
    branches: list[tuple[Value | None, list[Step]]] = []
    for child in element.children:
        if branches and branches[-1][0] is None:
            site.problem(child, "otherwise is the last element of choose")
        condition = None
        if child.name == "when":
            site.check(child, {"condition": True}, None)
            condition = site.attribute(child, "condition")
        else:
            site.check(child, {}, None)
        branches.append((condition, site.steps(child.children)))
    if not any(condition is not None for condition, _ in branches):
        site.problem(element, "choose needs a when")

    async def step(context: Context) -> bool:
        for condition, steps in branches:
            if condition is None or condition.boolean(context):
                return await run(steps, context)
        return False

    return step


POLICY = Policy("choose", EVERYWHERE, _compile, children=frozenset({"when", "otherwise"}))
