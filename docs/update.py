"""Fill the marked parts of README.md from files that the workflow and the benchmarks write.

    python docs/update.py [--results results/laptop]

A part stands between ``<!-- name -->`` and ``<!-- /name -->``; one whose file is missing is left as
it is, and named.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOWN = (1, 6, 7)


def fill(text: str, name: str, content: str) -> str:
    """Return the text with the part ``name`` replaced; refuse a text without that part."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"error: README.md has no part <!-- {name} --> ... <!-- /{name} -->")
    return pattern.sub(lambda m: f"{m[1]}{content.strip()}\n{m[2]}", text)


def main():
    """Read what there is, write README.md and docs/images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "laptop")
    results = parser.parse_args().results
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    parts = {
        "table1": results / "tables" / "table1.md",
        "benchmark": ROOT / "benchmarks" / "results" / "core.md",
    }
    for name, path in parts.items():
        if path.is_file():
            text = fill(text, name, path.read_text(encoding="utf-8"))
        else:
            print(f"{path} is missing: part {name!r} stays as it is", file=sys.stderr)
    readme.write_text(text, encoding="utf-8")
    images = ROOT / "docs" / "images"
    images.mkdir(exist_ok=True)
    for number in SHOWN:
        path = results / "figures" / f"figure{number}.png"
        if path.is_file():
            shutil.copy(path, images / path.name)
        else:
            print(f"{path} is missing: docs/images keeps the one it has", file=sys.stderr)


if __name__ == "__main__":
    main()
