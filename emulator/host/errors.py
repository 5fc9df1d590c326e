"""What stops the host, and what puts one function in error.

Texts that a user of the real host knows are the vendor's; the rest say what to do.
"""


class StartError(Exception):
    """The emulator cannot start; the text is one line for stderr, and the exit code is 1."""


class SettingsError(StartError):
    """A setting, `local.settings.json` or `host.json` cannot be used."""


class FunctionInError(Exception):
    """The host leaves this function out and runs the others; the text is the reason it prints."""


class MissingBindingValue(Exception):
    """A binding expression names what the trigger does not supply; the invocation fails."""

    def __init__(self, name: str) -> None:
        super().__init__(f"No value for named parameter '{name}'.")


class OutputFailed(Exception):
    """What the function returned or set could not be sent; the invocation fails."""


class InputFailed(Exception):
    """What an input binding asks for could not be read; the invocation fails."""
