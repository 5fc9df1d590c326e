"""A local stand-in for the Azure services that the order pipeline uses. Not for production."""
