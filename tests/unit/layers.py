#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Check that folders depend one way and files form no circle.

Reads the symbols that object files define and use (nm), so that a declaration in some
header does not hide who calls whom.
    usage: layers.py SOURCE_ROOT BUILD_ROOT [--graph]
"""
import pathlib
import re
import subprocess
import sys

# Each folder, and the folders whose functions and data it may use besides its own.
MAY_USE = {
    'lib/shared': (),
    'lib/producer': ('lib/shared',),
    'lib/consumer': ('lib/shared',),
    'lib/observer': ('lib/shared',),
    'gst/shmframe/memory': ('lib/shared', 'lib/producer', 'lib/consumer'),
    'gst/shmframe/wire': ('lib/shared', 'gst/shmframe/memory'),
    'gst/shmframe/common': ('lib/shared', 'lib/producer', 'lib/consumer'),
    'gst/shmframe/sink': ('lib/shared', 'lib/producer', 'gst/shmframe/common',
                          'gst/shmframe/memory', 'gst/shmframe/wire'),
    'gst/shmframe/src': ('lib/shared', 'lib/consumer', 'gst/shmframe/common',
                         'gst/shmframe/memory', 'gst/shmframe/wire'),
    'gst/shmframe': ('gst/shmframe/sink', 'gst/shmframe/src'),
    'gst/secondbatch/batcher': (),
    'gst/secondbatch/splitter': ('gst/secondbatch/batcher',),
    'gst/secondbatch': ('gst/secondbatch/batcher', 'gst/secondbatch/splitter'),
}
# Any file of an element may name its class and its log category.
IDENTITY = re.compile('_get_type$|_debug$')
# Files that may form a circle, and why.
CIRCLES = {
    # A value may be caps or tags, and both are made of values.
    frozenset(f'gst/shmframe/wire/{name}.c' for name in ('value', 'caps', 'tags')),
}
# Files whose symbols are there if any are.
MUST_DEFINE = ('lib/shared/ring.c', 'gst/shmframe/wire/value.c',
               'gst/secondbatch/batcher/pad.c')
ROOMS = {
    'lib': 'lib/libshmframe.a.p',
    'gst/shmframe': 'gst/shmframe/libgstshmframe.so.p',
    'gst/secondbatch': 'gst/secondbatch/libgstsecondbatch.so.p',
}


def read_symbols(build, source):
    """Return {file: names it defines} and {file: names it uses}."""
    defined, used = {}, {}
    for room, objects in ROOMS.items():
        for file in sorted((source / room).rglob('*.c')):
            path = file.relative_to(source / room).as_posix()
            # Meson puts the folders of a source into the name of its object.
            obj = build / objects / (path.replace('/', '_') + '.o')
            if not obj.exists():
                continue
            name = f'{room}/{path}'
            defined[name], used[name] = set(), set()
            out = subprocess.run(['nm', obj], check=True, text=True, capture_output=True).stdout
            for line in out.splitlines():
                *_, kind, symbol = line.split()
                if kind in 'Uw':
                    used[name].add(symbol)
                elif kind.isupper():
                    defined[name].add(symbol)
    return defined, used


def find_calls(defined, used):
    """Return {(user, owner): names}."""
    owner = {symbol: file for file, names in defined.items() for symbol in names}
    calls = {}
    for file, names in used.items():
        for symbol in names:
            if owner.get(symbol, file) != file and not IDENTITY.search(symbol):
                calls.setdefault((file, owner[symbol]), set()).add(symbol)
    return calls


def find_circles(calls):
    """Return the sets of files that reach each other (Tarjan's components)."""
    ways = {}
    for user, owner in calls:
        ways.setdefault(user, []).append(owner)
    index, low, stack, found = {}, {}, [], []

    def visit(file):
        index[file] = low[file] = len(index)
        stack.append(file)
        for other in ways.get(file, ()):
            if other not in index:
                visit(other)
                low[file] = min(low[file], low[other])
            elif other in stack:
                low[file] = min(low[file], index[other])
        if low[file] == index[file]:
            at = stack.index(file)
            if len(stack) - at > 1:
                found.append(frozenset(stack[at:]))
            del stack[at:]

    for file in ways:
        if file not in index:
            visit(file)
    return found


def folder(file):
    return file.rpartition('/')[0]


def main():
    source, build = map(pathlib.Path, sys.argv[1:3])
    defined, used = read_symbols(build, source)
    if len(defined) < 50 or not all(map(defined.get, MUST_DEFINE)):
        print('the objects are not one for each file, or hold no symbols (unity, LTO)')
        return 77
    calls = find_calls(defined, used)
    if '--graph' in sys.argv:
        for (user, owner), names in sorted(calls.items()):
            print(user, '->', owner, ' '.join(sorted(names)))
    failed = False
    for (user, owner), names in sorted(calls.items()):
        if folder(owner) not in (folder(user), *MAY_USE[folder(user)]):
            print(f'{user} must not use {owner}: {" ".join(sorted(names))}')
            failed = True
    for circle in find_circles(calls):
        if any(circle <= known for known in CIRCLES):
            continue
        print('these files form a circle:')
        for (user, owner), names in sorted(calls.items()):
            if user in circle and owner in circle:
                print(f'  {user} uses {owner}: {" ".join(sorted(names))}')
        failed = True
    return failed


if __name__ == '__main__':
    sys.exit(main())
