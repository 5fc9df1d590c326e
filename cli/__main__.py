"""`python -m cli`: the same as `orders`."""

from cli.app import app

if __name__ == "__main__":
    app()
