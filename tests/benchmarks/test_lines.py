from benchmarks.lines import kinds, large_functions

TEXT = '''"""About it."""

# why
def one(a, b):
    """What it does,

    in words.
    """
    return a
'''


def test_each_line_is_of_one_kind() -> None:
    assert kinds(TEXT) == ["docstring", "blank", "comment", "code", *["docstring"] * 4, "code"]


def test_only_code_makes_a_function_large() -> None:
    body = "".join(f"    x{i} = {i}\n" for i in range(60))
    many = ", ".join("abcdefghi")
    text = f"def long():\n{body}\n\ndef wide({many}): ...\n\ndef well(self, {many[:-3]}):\n    '''\n{body}    '''\n"
    assert list(large_functions(text)) == [("long", 61, 0), ("wide", 1, 9)]
