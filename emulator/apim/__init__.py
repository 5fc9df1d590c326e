"""The API Management gateway: executes the policy XML that is deployed, in front of the local host.

What it supports, what differs and what it refuses is listed in COVERAGE.md beside this file.
"""

from emulator.apim.config import GatewayConfig
from emulator.apim.errors import DefinitionError
from emulator.apim.gateway import Gateway
from emulator.apim.server import create_app

__all__ = ["DefinitionError", "Gateway", "GatewayConfig", "create_app"]
