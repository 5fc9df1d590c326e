"""What can be wrong with a policy expression: before it runs, and while it does."""


class ExpressionError(Exception):
    """The expression cannot be understood or uses what is not supported; found at load.

    Attributes:
        position: where in the expression's text, counted from 0.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


class ExpressionFailure(Exception):
    """The expression was run and threw; the gateway answers with its own 500."""
