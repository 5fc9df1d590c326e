"""`validate-azure-ad-token`: `validate-jwt` for one tenant, with a list of client applications."""

from emulator.apim.context import Context
from emulator.apim.document import Element
from emulator.apim.jwt import Jwt
from emulator.apim.policies.token_policy import (
    COMMON,
    TokenPolicy,
    compile_claims,
    compile_failure,
    compile_source,
    compile_texts,
    texts,
    token_step,
)
from emulator.apim.site import INBOUND, Policy, Site, Step, Value
from emulator.apim.tokens import TokenRefused, TokenRules

_LOGIN = "https://login.microsoftonline.com"


def _compile(element: Element, site: Site) -> Step:
    tenant = site.literal(element, "tenant-id")
    clients = compile_texts(site.only(element, "client-application-ids"), "application-id", site)
    backends = compile_texts(site.only(element, "backend-application-ids"), "application-id", site)
    audiences = compile_texts(site.only(element, "audiences"), "audience", site)
    claims = compile_claims(site.only(element, "required-claims"), site)
    accepted = (
        None if audiences is None and backends is None else (audiences or ()) + (backends or ())
    )
    issuers = frozenset({f"{_LOGIN}/{tenant}/v2.0", f"https://sts.windows.net/{tenant}/"})

    def rules(context: Context) -> TokenRules:
        return TokenRules(
            audiences=texts(accepted, context),
            issuers=issuers,
            claims=tuple(claim.rule(context) for claim in claims),
        )

    def check(context: Context, token: Jwt) -> None:
        allowed = texts(clients, context)
        client = token.text("azp") or token.text("appid")
        if allowed is not None and client not in allowed:
            name = "azp" if "azp" in token.payload else "appid"
            raise TokenRefused(
                "TokenClaimValueNotAllowed",
                f"Claim {name} value of {client} is not allowed. Access denied.",
            )

    status, message = compile_failure(element, site)
    return token_step(
        TokenPolicy(
            element.name,
            compile_source(element, site, default_header="Authorization"),
            rules,
            (Value(f"{_LOGIN}/{tenant}/v2.0/.well-known/openid-configuration"),),
            status,
            message,
            site.literal(element, "output-token-variable-name"),
            check,
        )
    )


POLICY = Policy(
    "validate-azure-ad-token",
    frozenset({INBOUND}),
    _compile,
    {**COMMON, "tenant-id": True},
    frozenset(
        {"client-application-ids", "backend-application-ids", "audiences", "required-claims"}
    ),
)
