"""Names under which the operators are known to SQLite."""

OPERATOR_NAMES = {
    "=": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "%": "remainder",
    "&": "bit_and",
    "|": "bit_or",
    "^": "bit_xor",
    "||": "concatenate",
}
