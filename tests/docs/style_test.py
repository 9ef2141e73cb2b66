#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What of the style in CONTRIBUTING.md a machine can tell, of C and Python.

Usage: style_test.py TREE
"""
import pathlib
import sys

# What none may reach elsewhere, and what holds in these folders.
MAX_COLUMNS = 110
NARROW_COLUMNS = 80
NARROW_FOLDERS = ("lib", "gst")
MAX_LINES = 500
MAX_TEST_LINES = 600
FOLDERS = ("lib", "gst", "tests", "examples", "python", "tools")


def problems(file, columns):
    text = file.read_text(encoding="utf-8")
    lines = text.split("\n")
    if lines.pop() != "":
        yield len(lines), "no newline at the end"
    if not any("SPDX-License-Identifier" in line for line in lines[:3]):
        yield 1, "no SPDX-License-Identifier"
    most = MAX_TEST_LINES if "tests" in file.parts else MAX_LINES
    if len(lines) > most:
        yield most, f"{len(lines)} lines, of {most}"
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "blanks at the end"
        if "\t" in line:
            yield number, "a tab"
        if len(line) > columns:
            yield number, f"{len(line)} columns, of {columns}"


def columns_of(folder):
    return NARROW_COLUMNS if folder in NARROW_FOLDERS else MAX_COLUMNS


def main():
    tree = pathlib.Path(sys.argv[1])
    files = [(file, columns_of(folder)) for folder in FOLDERS
             for file in sorted(tree.glob(f"{folder}/**/*"))
             if file.suffix in (".c", ".h", ".py") and file.is_file()]
    bad = [f"{file}:{number}: {what}" for file, columns in files
           for number, what in problems(file, columns)]
    print("\n".join(bad) or f"{len(files)} files")
    sys.exit(1 if bad or not files else 0)


if __name__ == "__main__":
    main()
