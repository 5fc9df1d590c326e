"""Compiles documents and named values into what a request runs through: one chain per combination.

A chain is made once for each API (or operation with a document of its own) and product, from the
widest scope to the narrowest: `<base />` stands for what the wider scopes made of the section. A
scope without a document passes on what it was given. The result is never changed: a changed named
value makes a new snapshot, and calls under way keep theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from emulator.apim.definitions import Definitions, Document
from emulator.apim.document import Element
from emulator.apim.errors import DefinitionError, Problem
from emulator.apim.matching import Match, Router
from emulator.apim.model import Product
from emulator.apim.policies.cors import CorsRule
from emulator.apim.policies.registry import POLICIES
from emulator.apim.site import BACKEND, INBOUND, SECTIONS, Environment, Site, Step

# Scopes from wide to narrow; their documents are looked up in this order.
_WIDE_TO_NARROW = ("global", "product", "api", "operation")


@dataclass(frozen=True)
class Chain:
    """The steps of each section, and the `cors` rules among the inbound ones."""

    sections: Mapping[str, list[Step]]
    cors: list[CorsRule]


@dataclass(frozen=True)
class Snapshot:
    """What the gateway serves at an instant."""

    router: Router
    chains: dict[tuple[str, str, str], Chain]
    products: tuple[Product, ...]
    named_values: dict[str, str]
    used: frozenset[str] = frozenset()
    warnings: list[Problem] = field(default_factory=list)

    def chain(self, match: Match, product: Product | None) -> Chain:
        """The chain for an operation and the product of the call."""
        api, name = match.api.id, product.id if product else ""
        own = self.chains.get((api, match.operation.id, name))
        return own or self.chains[api, "", name]


def build_snapshot(
    definitions: Definitions, named_values: Mapping[str, str], *, rate_limits_by_key: bool = True
) -> Snapshot:
    """The snapshot of definitions with these named values.

    Raises:
        DefinitionError: a policy cannot be carried out; every problem of every file is named.
    """
    environment = Environment(
        dict(named_values), dict(definitions.backends), POLICIES, rate_limits_by_key
    )
    chains: dict[tuple[str, str, str], Chain] = {}
    for api in definitions.apis:
        operations = ["", *(o.id for o in api.operations if _has_own(definitions, api.id, o.id))]
        products = ["", *(p.id for p in definitions.products if p.holds(api))]
        for operation in operations:
            for product in products:
                scopes = _scopes(api.id, operation, product)
                documents = [d for s in scopes if (d := definitions.documents.get(s)) is not None]
                chains[api.id, operation, product] = _chain(environment, documents)
    for document in definitions.documents.values():
        _inspect(environment, document)
    if environment.problems:
        raise DefinitionError(environment.problems)
    return Snapshot(
        Router(definitions.apis),
        chains,
        definitions.products,
        dict(named_values),
        frozenset(environment.used),
        DefinitionError(environment.warnings).problems,
    )


def _has_own(definitions: Definitions, api: str, operation: str) -> bool:
    return ("operation", f"{api}/{operation}") in definitions.documents


def _scopes(api: str, operation: str, product: str) -> list[tuple[str, str]]:
    scopes = [("global", "")]
    if product:
        scopes.append(("product", product))
    scopes.append(("api", api))
    if operation:
        scopes.append(("operation", f"{api}/{operation}"))
    return scopes


def _chain(environment: Environment, documents: list[Document]) -> Chain:
    sections: dict[str, list[Step]] = {}
    for section in SECTIONS:
        steps: list[Step] = []
        for document in documents:
            site = Site(environment, document.scope, section, steps)
            steps = site.steps(document.sections[section])
        sections[section] = steps
    _check_backends(environment, documents)
    rules = [environment.cors[step] for step in sections[INBOUND] if step in environment.cors]
    return Chain(sections, rules)


def _check_backends(environment: Environment, documents: list[Document]) -> None:
    """A `base-url` cannot replace the `backend-id` that a wider scope has set."""
    named = False
    for document in documents:
        found = [
            element
            for top in document.sections[INBOUND]
            for element in top.every()
            if element.name == "set-backend-service"
        ]
        for element in found:
            if named and "base-url" in element.attributes:
                text = "base-url cannot replace the backend-id of a wider scope"
                environment.problems.append(Problem(document.scope.file, element.line, text))
        named = named or any("backend-id" in element.attributes for element in found)


def _inspect(environment: Environment, document: Document) -> None:
    """Check a document by itself: what no chain uses is checked too, and oddities are named."""
    scope = document.scope
    for section in SECTIONS:
        elements = document.sections[section]
        Site(environment, scope, section, []).steps(elements)
        names = [element.name for top in elements for element in top.every()]
        # A backend that forwards by itself has nothing to inherit: it holds one policy or <base />.
        forwards = section == BACKEND and "forward-request" in names
        if scope.kind != "global" and "base" not in names and not forwards:
            _warn(
                environment, document, elements, f"{section} has no <base />: nothing is inherited"
            )
        if names.count("rate-limit") > 1:
            text = "rate-limit may stand once in a document"
            environment.problems.append(Problem(scope.file, elements[0].line, text))
    inbound = [element.name for element in document.sections[INBOUND]]
    if "cors" in inbound[1:]:
        text = "cors is the first policy of inbound"
        environment.problems.append(Problem(scope.file, document.sections[INBOUND][0].line, text))
    both = "base" in inbound and "validate-jwt" in inbound
    if scope.kind == "api" and both and inbound.index("base") < inbound.index("validate-jwt"):
        text = "validate-jwt stands after <base />: refused tokens spend rate and credit"
        _warn(environment, document, document.sections[INBOUND], text)


def _warn(environment: Environment, document: Document, elements: list[Element], text: str) -> None:
    line = elements[0].line if elements else 1
    environment.warnings.append(Problem(document.scope.file, line, text))
