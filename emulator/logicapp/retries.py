"""Which answers of a connector are worth another call, and when it is made.

Pure. Source: Logic Apps documentation, "Handle errors and exceptions", section "Retry policies".
"""

from emulator.logicapp.connectors import Reply
from emulator.logicapp.model import RetryPolicy

_TRANSIENT = {408, 429}


def is_transient(reply: Reply) -> bool:
    """Whether another call may come to something else."""
    return reply.status in _TRANSIENT or reply.status >= 500


def delay_s(policy: RetryPolicy, number: int, fraction: float) -> float:
    """Seconds before a retry.

    Args:
        number: of the retry, from 1.
        fraction: in [0, 1); where in its range an exponential delay lies.
    """
    if not policy.is_exponential:
        return policy.interval_s
    longest = min(policy.interval_s * float(2 ** (number - 1)), policy.maximum_s)
    shortest = 0.0 if number == 1 else policy.interval_s * float(2 ** (number - 2))
    shortest = min(max(shortest, policy.minimum_s), policy.maximum_s)
    return shortest + fraction * max(longest - shortest, 0.0)
