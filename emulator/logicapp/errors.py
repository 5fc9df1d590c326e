"""What a workflow can be refused for, at load and while it runs.

Source: Logic Apps documentation, "Workflow Definition Language schema"; error codes and texts as
runs show them. They were not compared with the service.
"""


class InvalidDefinition(Exception):
    """The workflow cannot be loaded.

    Attributes:
        pointer: the JSON pointer of the place that is wrong or not supported.
    """

    def __init__(self, pointer: str, message: str) -> None:
        self.pointer = pointer
        super().__init__(f"{pointer or '/'}: {message}")


class SyntaxProblem(Exception):
    """An expression that cannot be read."""


class ExpressionFailed(Exception):
    """An expression that cannot be evaluated; fails its action with the code `InvalidTemplate`."""


class ActionFailed(Exception):
    """An action came to nothing; `code` as a run shows it."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)
