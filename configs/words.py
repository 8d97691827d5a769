"""Numbers in messages."""

__all__ = ["counted"]


def counted(number: int, noun: str, plural: str = "") -> str:
    """``"1 picture"``, ``"1,200 pictures"``; ``plural`` where it is not the noun and an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
