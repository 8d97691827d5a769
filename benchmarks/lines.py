"""How large the tree is: ``python -m benchmarks.lines`` counts lines by folder and kind, and names long functions."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PRODUCT = ("cli", "common", "configs", "deploy", "export", "fusedet", "model", "train")
BESIDE = ("tests", "benchmarks")
#: What a function may have of lines of code and of parameters.
MOST_LINES, MOST_PARAMETERS = 60, 8


def docstring_lines(tree: ast.AST) -> set[int]:
    """Numbers of the lines that docstrings take."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node.body[0] for node in ast.walk(tree) if isinstance(node, documented) and ast.get_docstring(node)]
    return {line for node in nodes for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}


def kinds(text: str) -> list[str]:
    """Of each line of a file, what it is: ``code``, ``docstring``, ``comment`` or ``blank``."""
    documented = docstring_lines(ast.parse(text))

    def kind(number: int, line: str) -> str:
        if number in documented:
            return "docstring"
        return "blank" if not line.strip() else "comment" if line.strip().startswith("#") else "code"

    return [kind(number, line) for number, line in enumerate(text.splitlines(), 1)]


def large_functions(text: str) -> Iterator[tuple[str, int, int]]:
    """Name, lines of code and parameters of each function that has more than it may."""
    of_line = kinds(text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            code = of_line[node.lineno - 1 : node.end_lineno].count("code")
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            parameters = len([one for one in arguments if one.arg not in ("self", "cls")])
            if code > MOST_LINES or parameters > MOST_PARAMETERS:
                yield node.name, code, parameters


def main() -> None:
    """Prints a table of the folders, and the functions that are large."""
    print("| folder | files | lines | code | docstring | comment | blank |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    large, product = [], Counter[str]()
    for folder in (*PRODUCT, "product", *BESIDE):
        counted = Counter[str]()
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            counted.update(kinds(text))
            counted["files"] += 1
            if folder in PRODUCT:
                large += [(path.relative_to(ROOT), *one) for one in large_functions(text)]
        product.update(counted if folder in PRODUCT else {})
        shown = product if folder == "product" else counted
        each = [shown[kind] for kind in ("code", "docstring", "comment", "blank")]
        print(f"| {folder} | {shown['files']} | {sum(each)} | {' | '.join(map(str, each))} |")
    for path, name, code, parameters in large:
        print(f"{path}: {name}: {code} lines of code, {parameters} parameters")


if __name__ == "__main__":
    main()
