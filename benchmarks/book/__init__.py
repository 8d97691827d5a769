"""The benchmark book: all that fusedet measures of itself and of its peers, in one run: ``python -m benchmarks.book``.

A chapter (``chapters/``) measures rows, writes them as a table and perhaps draws them. What it needs is the
:class:`~benchmarks.book.desk.Desk`: exported networks, peers, and how long to measure. ``results.py`` is the file that
all of it goes into, and ``benchmarks/compare.py`` compares two of them.
"""
