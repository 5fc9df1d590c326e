"""What the exit code of `orders` says. Scripts may rely on these."""

OK = 0
# Something asked about is not as hoped: an order failed or was rejected, a check is red.
NOT_ALL_WELL = 1
# The command line or the input file is wrong; nothing was sent. Typer uses the same number.
USAGE = 2
# The API answered, and refused (4xx), 404 apart.
REFUSED = 3
NOT_FOUND = 4
# No answer, or a 5xx.
UNAVAILABLE = 5
# `wait` gave up: what it waited for still runs.
TIMED_OUT = 6
