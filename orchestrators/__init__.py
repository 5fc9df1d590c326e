"""Plain generators that see the world only through the context they are given."""
