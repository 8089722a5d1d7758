"""What a PromQL expression is made of."""

from typing import Any

import promql_parser


def names(expr: str) -> set[str]:
    """Return the series that an expression reads. Raises ValueError when it does not parse."""
    return {selector.name for selector in selectors(expr) if selector.name}


def selectors(expr: str) -> list[Any]:
    """Return every selector of an expression. Raises ValueError when it does not parse."""
    found: list[Any] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        return True

    promql_parser.walk(promql_parser.parse(expr), visit)
    return found
