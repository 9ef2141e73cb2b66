#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""No page links to what is not there.

Checks each relative link of each Markdown page, with the heading that it names
after '#', and each page that a comment, script or message names by its path
("docs/" and a name).
Each page of docs/guide with a block must be named in tests/docs/meson.build,
whose tests run it. Usage: links_test.py TREE
"""
import pathlib
import re
import sys

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*\ssrc=\"([^\"]+)\"")
NAMED = re.compile(r"(?<![\w/.-])(docs/[\w/.-]*\w\.(?:md|svg))")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
SOURCES = {".c", ".h", ".py", ".sh", ".md", ".build", ".txt", ""}


def anchors(page):
    """The names that a page's headings have as link targets."""
    names = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text())):
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        name = name.replace(" ", "-")
        again = 1
        while name in names:
            name = f"{name.rstrip('0123456789-')}-{again}"
            again += 1
        names.add(name)
    return names


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def dead_links(page):
    text = page.read_text()
    for match in LINK.finditer(FENCE.sub(lambda m: "\n" * m[0].count("\n"),
                                         text)):
        link = match[1] or match[2]
        where = f"{page}:{line_of(text, match.start())}"
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            yield f"{where}: {link}: no such file"
        elif anchor and target.suffix == ".md" and anchor not in anchors(
                target):
            yield f"{where}: {link}: no such heading"


def dead_names(file, tree):
    try:
        text = file.read_text()
    except UnicodeDecodeError:
        return
    for match in NAMED.finditer(text):
        if not (tree / match[1]).exists():
            yield (f"{file}:{line_of(text, match.start())}: {match[1]}: "
                   "no such file")


def not_run(tree):
    named = (tree / "tests/docs/meson.build").read_text()
    for page in sorted((tree / "docs/guide").glob("*.md")):
        if "```" in page.read_text() and (
                f"'docs/guide/{page.name}'" not in named):
            yield f"{page}: not in tests/docs/meson.build"


def main():
    tree = pathlib.Path(sys.argv[1]).resolve()
    dead, pages = list(not_run(tree)), 0
    for file in sorted(tree.rglob("*")):
        inside = file.relative_to(tree).parts
        if (not file.is_file() or inside[0].startswith((".git", "build"))
                or file.suffix not in SOURCES):
            continue
        if file.suffix == ".md":
            pages += 1
            dead += dead_links(file)
        if file.name != "CHANGELOG.md":
            dead += dead_names(file, tree)
    print("\n".join(dead) or f"{pages} pages, no dead link")
    sys.exit(1 if dead or not pages else 0)


if __name__ == "__main__":
    main()
