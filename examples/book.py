"""Runs every example and writes the table of README.md: `make book`, or `python examples/book.py NAME...` for some.

What was measured is kept in results.json, so that the table can be written anew without measuring (`--table`).
"""

import argparse
import ast
import json
import subprocess
import sys
from pathlib import Path

from _common import header

HERE = Path(__file__).resolve().parent
MARKS = "<!-- measured: written by make book -->", "<!-- end of what make book writes -->"


def examples() -> dict[str, dict[str, str]]:
    """The header of every example, by name."""
    scripts = [path for path in sorted(HERE.glob("*.py")) if not path.stem.startswith("_") and path.stem != "book"]
    return {path.stem: header(ast.get_docstring(ast.parse(path.read_text())) or "") for path in scripts}


def sections() -> list[str]:
    """The notes' headings, in their order."""
    return [line.lstrip("#").strip() for line in (HERE / "sections.txt").read_text().splitlines()]


def chapters(example: dict[str, str]) -> list[str]:
    """The headings an example belongs to; a heading may itself hold a semicolon."""
    text = example["CHAPTER"]
    return [name for name in sections() if f"; {name};" in f"; {text};"]


def table(results: dict[str, dict]) -> str:
    """A row per section and example."""
    rows = ["| section of the notes | command | claim | expected | measured | verdict |", "|" + "---|" * 6]
    for section in sections():
        for name, example in examples().items():
            if section in chapters(example):
                found = results.get(name, {"measured": "not measured yet", "verdict": "-"})
                cells = (section, f"`python examples/{name}.py`", example["CLAIM"], example["EXPECTED"])
                cells += (found["measured"], f"**{found['verdict']}**")
                rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def written(readme: str, results: dict[str, dict]) -> str:
    """The page with the table between its marks."""
    before, _, rest = readme.partition(MARKS[0])
    return f"{before}{MARKS[0]}\n\n{table(results)}\n\n{MARKS[1]}{rest.partition(MARKS[1])[2]}"


def main() -> None:
    """Run the examples asked for, one after the other, and write the table."""
    known = examples()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; all by default")
    parser.add_argument("-o", "--output", type=Path, default=Path("book"), help="a folder per example goes below it")
    parser.add_argument("--table", action="store_true", help="run nothing: write the table from results.json")
    given = parser.parse_args()
    if unknown := set(given.names) - set(known):
        parser.error(f"there is no example {', '.join(sorted(unknown))}: take of {', '.join(known)}")
    kept, readme = HERE / "results.json", HERE / "README.md"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    for name in [] if given.table else given.names or known:
        place = given.output / name
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, HERE / f"{name}.py", "-o", place], check=True)
        results[name] = json.loads((place / "result.json").read_text())
        kept.write_text(json.dumps(dict(sorted(results.items())), indent=1, ensure_ascii=False) + "\n")
        readme.write_text(written(readme.read_text(), results))  # now, in case a later one fails
    readme.write_text(written(readme.read_text(), results))


if __name__ == "__main__":
    main()
