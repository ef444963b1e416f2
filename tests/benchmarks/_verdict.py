"""What a benchmark wants of a figure, beside the figure."""


def at_most(value: float, wanted: float) -> str:
    """`0.823 (<= 1: met)`."""
    return f"{value:.3f} (<= {wanted:g}: {'met' if value <= wanted else 'missed'})"


def at_least(value: float, wanted: float) -> str:
    """`2.31 (>= 2: met)`."""
    return f"{value:.2f} (>= {wanted:g}: {'met' if value >= wanted else 'missed'})"
