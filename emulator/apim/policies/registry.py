"""Every policy the gateway carries out. What is not in this table is refused at load, by name."""

from emulator.apim.policies import (
    authentication_managed_identity,
    cache_value,
    choose,
    cors,
    forward_request,
    limit_concurrency,
    rate_limit,
    return_response,
    rewrite_uri,
    send_request,
    set_backend_service,
    set_body,
    set_header,
    set_method,
    set_query_parameter,
    set_status,
    set_variable,
    trace,
    validate_azure_ad_token,
    validate_jwt,
)
from emulator.apim.site import Policy

POLICIES: dict[str, Policy] = {
    policy.name: policy
    for policy in (
        authentication_managed_identity.POLICY,
        cache_value.LOOKUP,
        cache_value.REMOVE,
        cache_value.STORE,
        choose.POLICY,
        cors.POLICY,
        forward_request.POLICY,
        limit_concurrency.POLICY,
        rate_limit.BY_KEY,
        rate_limit.BY_SUBSCRIPTION,
        return_response.POLICY,
        rewrite_uri.POLICY,
        send_request.ONE_WAY,
        send_request.POLICY,
        set_backend_service.POLICY,
        set_body.POLICY,
        set_header.POLICY,
        set_method.POLICY,
        set_query_parameter.POLICY,
        set_status.POLICY,
        set_variable.POLICY,
        trace.POLICY,
        validate_azure_ad_token.POLICY,
        validate_jwt.POLICY,
    )
}
