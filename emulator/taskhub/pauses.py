"""How long to wait before a work item is tried again that a dead worker or a full disk stopped."""

_FIRST_S = 0.02
_LONGEST_S = 2.0


def pause_s(losses: int) -> float:
    """Seconds to wait after this many failures in a row, at least one."""
    return float(min(_FIRST_S * 2 ** min(losses - 1, 10), _LONGEST_S))
