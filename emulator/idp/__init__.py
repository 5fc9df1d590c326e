"""A local stand-in for Microsoft Entra ID, as far as the gateway needs it: client credentials."""

from emulator.idp.model import Tenant
from emulator.idp.provider import IdentityProvider
from emulator.idp.server import routes

__all__ = ["IdentityProvider", "Tenant", "routes"]
