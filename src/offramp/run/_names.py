"""Names of files as text."""

from __future__ import annotations


def legible(name: str) -> str:
    r"""A name of a file as text, the same whatever the locale: read as UTF-8, with numbers for bytes that are none.

    Under the C locale Python gives names beyond ASCII as single bytes in disguise, which no UTF-8 file can hold.

    Args:
        name: A name as Python's functions for files give it.

    Returns:
        The name as text that any UTF-8 file can hold.

    Returns:
        Text that any UTF-8 file can hold.

    Example:
        >>> legible("gr\udcc3\udcbcn")
        'grün'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
