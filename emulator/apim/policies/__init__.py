"""The policies, one module each; `registry.py` lists them."""
