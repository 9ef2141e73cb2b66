#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each message that a user can see is in docs/guide/troubleshooting.md, and none
that is not there any more.

Reads the text of messages and errors from gst/, where it is a sentence, and from
lib/ what ends up in them. Usage: messages_test.py TREE
"""
import pathlib
import re
import sys

PIECE = r'"((?:[^"\\]|\\.)*)"|\b([A-Z][A-Z0-9_]+|PRI[a-z]+[0-9]+)\b'
TEXT = re.compile(rf"(?:(?:{PIECE})\s*)+")
SPECIFIER = re.compile(r"%[-0-9.*]*(?:ll|l|h|z)?[a-zA-Z]")


def texts(source):
    """Adjacent literals, joined."""
    code = re.sub(r"/\*.*?\*/|#\s*include[^\n]*|_Static_assert[^;]*;", "", source,
                  flags=re.DOTALL)
    for match in TEXT.finditer(code):
        # A macro for a format is what follows a lone '%'.
        yield "".join(
            piece[1] if piece[1] is not None
            else "s" if re.match("PRI|.*_FORMAT$", piece[2]) else "%s"
            for piece in re.finditer(PIECE, match[0]))


def pattern(text):
    return re.compile("%".join(
        ".*".join(map(re.escape, SPECIFIER.split(part)))
        for part in text.split("%%")))


def read(tree):
    """Patterns of messages, and of the texts that become parts of some."""
    messages, parts = {}, {}
    for file in sorted(tree.glob("gst/**/*.c")):
        source = file.read_text()
        for text in texts(source):
            if re.fullmatch(r"[%A-Za-z][^\\]* [^\\]* [^\\]*\.", text):
                messages[text] = file
    for file in sorted(tree.glob("lib/**/*.c")):
        for text in texts(file.read_text()):
            if len(re.findall(r"[a-z]+ ", text)) > 3:
                parts[text] = file
    return messages, parts


def main():
    tree = pathlib.Path(sys.argv[1])
    page = (tree / "docs/guide/troubleshooting.md").read_text()
    headings = re.findall(r"^#### (.*)$", page, re.MULTILINE)
    rows = re.findall(r"^\| (.*) \|$", page, re.MULTILINE)
    messages, parts = read(tree)
    bad = []
    for text, file in messages.items():
        if not any(pattern(text).fullmatch(h) for h in headings):
            bad.append(f"{file}: not in troubleshooting.md: {text}")
    for heading in headings:
        if not any(pattern(text).fullmatch(heading) for text in messages):
            bad.append(f"troubleshooting.md: no message is: {heading}")
    for text, file in parts.items():
        if not any(pattern(text).search(row) for row in rows):
            bad.append(f"{file}: not among the reasons: {text}")
    print("\n".join(bad) or f"{len(messages)} messages, {len(parts)} texts")
    sys.exit(1 if bad or not messages or not parts else 0)


if __name__ == "__main__":
    main()
