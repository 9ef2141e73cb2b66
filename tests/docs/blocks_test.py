#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the commands and programs of a Markdown page, in order.

Usage: blocks_test.py TREE PAGE [BUILD]. Prints TAP, with the line of each block.

A page runs in a folder of its own, which also takes the place of /tmp in its
blocks, with short videos A.avi and B.avi; abstract names, the port 8554 and the
network 192.168.1 get some of their own, too. Comments before a block say what a
reader need not know:

  <!-- start -->          leave it running until the next heading
  <!-- for: 3 s -->       it does not end: interrupt it then
  <!-- within: 300 s -->  it may take that long, in place of a minute
  <!-- expect: REGEX -->  what it has to print
  <!-- fails -->          it has to fail
  <!-- needs: X Y -->     skip it without these commands, element:NAME,
                          python:MODULE, typelib:NAME-VERSION, or if
                          namespaces are forbidden
  <!-- with: A -> B -->   run B where the page says A
  <!-- file: NAME -->     not a command: the content of this file
  <!-- shows: NAME -->    what it shows is this file of the tree
  <!-- part of: NAME -->  it is in this file of the tree, which another test runs
  <!-- machine -->        run it as root, and in a machine that is thrown away
                          (machine.py); skip it where there can be none
  <!-- beside: NAME -->   run this program of tests/docs beside it, with the port
                          as argument, and wait until the port answers
  <!-- not run: WHY -->   only check the syntax, of shell, launch lines, Python
                          and C
"""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from machine import Machine, Missing

TIMEOUT = 60
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!--\s*(.+?)\s*-->", re.DOTALL)
MARKS = ("start", "for", "within", "expect", "fails", "needs", "with", "file", "shows",
         "part of", "machine", "beside", "not run")
ALWAYS = [("/tmp/", "{here}/"), (". scripts/environment", ":"),
          ("autovideosink", "fakesink"), ("/usr/bin/python3", sys.executable),
          ("8554", "{port}"), ("192.168.1.", "{net}.")]
LANGUAGES = ("sh", "python", "c", "ini", "yaml", "text", "rust")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


PORT = free_port()
# Addresses of this machine that no other page uses.
NET = f"127.{os.getpid() // 250 % 250 + 1}.{os.getpid() % 250 + 1}"


class Failure(Exception):
    """What is wrong with a block."""


class Skip(Exception):
    """What a block needs, and is not there."""


class Block:
    def __init__(self, page, line, language, text, marks):
        self.where = f"{page.name}:{line}"
        self.language = language
        self.text = text
        self.marks = marks

    def has(self, name):
        return any(key == name for key, _ in self.marks)

    def all(self, name):
        return [value for key, value in self.marks if key == name]

    def get(self, name):
        return (self.all(name) or [None])[0]


def read_marks(text, where):
    marks = []
    for comment in MARK.findall(text):
        key, _, value = comment.partition(":")
        if key.strip() in MARKS:
            marks.append((key.strip(), value.strip()))
        elif "SPDX" not in key:
            raise Failure(f"{where}: unknown mark: {comment}")
    return marks


def read_page(page):
    """Its blocks, and None for each heading between them."""
    text = page.read_text()
    items, at = [], 0
    for match in FENCE.finditer(text):
        before = text[at:match.start()]
        at = match.end()
        line = text.count("\n", 0, match.start()) + 1
        if re.search(r"^#+ ", before, re.MULTILINE):
            items.append(None)
        # The comments right before the fence, with no text between.
        marks = re.search(r"((<!--((?!-->).)*-->\s*)*)\Z", before, re.DOTALL)
        items.append(Block(page, line, match[1], match[2],
                           read_marks(marks[1], f"{page.name}:{line}")))
    return items + [None]


def substitute(block, here):
    text = block.text
    for rule in block.all("with"):
        old, arrow, new = rule.partition(" -> ")
        if not arrow or old not in text:
            raise Failure(f"the page does not say {old!r}")
        text = text.replace(old, new)
    for old, new in ALWAYS:
        text = text.replace(old, new.format(here=here, port=PORT, net=NET))
    return re.sub(r"(socket-path=@[\w-]+)", rf"\1-{os.getpid()}", text)


def quiet(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=TIMEOUT,
                          check=False, **more)


def look_for(need):
    kind, _, name = need.rpartition(":")
    if kind == "element":
        return quiet("gst-inspect-1.0", name).returncode == 0
    if kind == "python":
        return quiet("python3", "-c", f"import {name}").returncode == 0
    if need == "namespaces":
        return quiet("unshare", *"--map-root-user --net --ipc --pid --fork "
                     "true".split()).returncode == 0
    if kind == "typelib":
        namespace, version = name.rsplit("-", 1)
        return quiet("python3", "-c", "import gi; gi.require_version("
                     f"'{namespace}', '{version}')").returncode == 0
    return shutil.which(name) is not None


class Running:
    """A process and what it prints."""

    def __init__(self, block, command, here):
        self.block = block
        self.output = ""
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            command, cwd=here, stdin=subprocess.DEVNULL, text=True, bufsize=1,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, errors="replace")
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            with self.changed:
                self.output += line
                self.changed.notify_all()

    def found(self):
        expected = self.block.get("expect")
        return expected is None or re.search(expected, self.output)

    def wait_for_output(self, seconds=TIMEOUT):
        end = time.monotonic() + seconds
        with self.changed:
            while not self.found() and time.monotonic() < end:
                if self.process.poll() is not None and not (
                        self.reader.is_alive()):
                    break
                self.changed.wait(0.2)
        if not self.found():
            raise Failure(f"it did not print {self.block.get('expect')!r}")

    def interrupt(self):
        """Ctrl-C, and worse if that does not help."""
        for number, seconds in ((signal.SIGINT, 10), (signal.SIGTERM, 5),
                                (signal.SIGKILL, 5)):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(seconds)
                break
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.reader.join(5)

    def ended_badly(self):
        code = self.process.poll()
        return code is not None and code not in (0, 130, -signal.SIGINT)


def finish(started):
    """Ends what was started in a section; None, or what is wrong."""
    problems = []
    for running in reversed(started):
        try:
            if running.ended_badly():
                raise Failure(f"it ended with {running.process.poll()}")
            running.wait_for_output()
        except Failure as failure:
            problems.append((running, failure))
        running.interrupt()
    started.clear()
    return problems


def check_launch_lines(text):
    """Whether launch lines can be parsed, without running them."""
    joined = text.replace("\\\n", " ")
    for line in re.findall(r"gst-launch-1\.0((?:\s+-\w\b)*)\s+(.*)", joined):
        # pylint: disable=import-outside-toplevel
        import shlex
        words = shlex.split(line[1].split(" > ")[0], comments=True)
        program = ("import sys, gi; gi.require_version('Gst', '1.0')\n"
                   "from gi.repository import Gst; Gst.init(None)\n"
                   "Gst.parse_launchv(sys.argv[1:])\n")
        result = quiet("python3", "-c", program, *words)
        if "no element" in result.stdout:
            raise Skip(result.stdout.strip().splitlines()[-1])
        if result.returncode != 0:
            raise Failure(f"cannot parse {line[1]!r}: {result.stdout}")


def check_syntax(block, text, here):
    if block.language == "sh":
        result = quiet("bash", "-n", "-c", text)
        if result.returncode == 0:
            check_launch_lines(text)
    elif block.language == "python":
        result = quiet("python3", "-c", "import ast, sys; ast.parse(sys.argv[1])",
                       text)
    elif block.language == "c" and "#include" in text:
        file = here / "syntax.c"
        file.write_text(text)
        flags = quiet("pkg-config", "--cflags", "gstreamer-1.0",
                      "gstreamer-app-1.0", "gstreamer-video-1.0").stdout.split()
        result = quiet("cc", "-fsyntax-only", *flags, str(file))
    else:
        return
    if result.returncode != 0:
        raise Failure(result.stdout)


def command_of(block, text):
    if block.language == "sh":
        return ["bash", "-euo", "pipefail", "-c", text]
    if block.language == "python":
        return ["python3", "-c", text]
    raise Failure(f"a block of {block.language!r} cannot be run; say "
                  "'not run', or 'file'")


def run_to_its_end(running):
    block = running.block
    seconds = float((block.get("for") or block.get("within")
                     or str(TIMEOUT)).split()[0])
    try:
        running.process.wait(seconds)
        if block.has("for"):
            raise Failure(f"it ended before {seconds} s")
        running.reader.join(5)
        if (running.process.returncode != 0) != block.has("fails"):
            raise Failure(f"it ended with {running.process.returncode}")
        if not running.found():
            raise Failure(f"it did not print {block.get('expect')!r}")
    except subprocess.TimeoutExpired:
        if not block.has("for"):
            raise Failure(f"it took longer than {seconds} s") from None
        running.wait_for_output()
    finally:
        running.interrupt()


def start_beside(block, place, started):
    program = pathlib.Path(__file__).parent / block.get("beside")
    # Not the block's own expectations.
    nothing = Block(program, 1, "python", "", [])
    started.append(Running(nothing, ["python3", str(program), str(PORT)],
                           place.here))
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", PORT), 1).close()
            return
        except OSError:
            time.sleep(0.2)
    raise Failure(f"{program.name} does not answer: {started[-1].output}")


def write_file(block, text, place):
    if block.has("machine"):
        place.machine().write(block.get("file"), text)
    else:
        (place.here / block.get("file")).write_text(text)


def run_block(block, place, started):
    """Returns what it printed."""
    if block.has("shows") and (
            block.text != (place.tree / block.get("shows")).read_text()):
        raise Failure(f"this is not what is in {block.get('shows')}")
    if block.has("part of"):
        if block.text not in (place.tree / block.get("part of")).read_text():
            raise Failure(f"this is not in {block.get('part of')}")
        return
    text = substitute(block, place.here)
    for need in (block.get("needs") or "").split():
        if not look_for(need):
            raise Skip(f"no {need}")
    if block.has("not run"):
        check_syntax(block, text, place.here)
        return
    if block.has("file"):
        write_file(block, text, place)
        return
    if block.has("beside"):
        start_beside(block, place, started)
    command = (place.machine().command(text) if block.has("machine")
               else command_of(block, text))
    running = Running(block, command, place.here)
    if block.has("start"):
        started.append(running)
        return
    try:
        run_to_its_end(running)
    except Failure as failure:
        raise Failure(f"{failure}\n{running.output[-4000:]}") from None


class Place:
    """Where the blocks of a page run."""

    def __init__(self, here, tree, build):
        self.here = here
        self.tree = tree
        self._build = build
        self._machine = None
        self._missing = None

    def machine(self):
        """The page's own, from the first block that wants it."""
        if self._missing:
            raise Skip(self._missing)
        try:
            self._machine = self._machine or Machine(self.here, self.tree,
                                                     self._build)
        except Missing as missing:
            self._missing = str(missing)
            raise Skip(self._missing) from None
        return self._machine

    def end(self):
        if self._machine:
            self._machine.end()


def prepare(tree, build, here):
    """Files and programs that pages take as given."""
    for name, pattern in (("A", "ball"), ("B", "smpte")):
        quiet("gst-launch-1.0", "-q", "videotestsrc", "num-buffers=75",
              f"pattern={pattern}", "!",
              "video/x-raw,format=I420,width=320,height=240,framerate=25/1",
              "!", "jpegenc", "!", "avimux", "!", "filesink",
              f"location={here}/{name}.avi")
    tools = here / "bin"
    tools.mkdir()
    (tools / "python3").symlink_to(sys.executable)
    (here / "include").mkdir()
    (here / "include" / "gst-shmframe").symlink_to(tree / "gst" / "secondbatch")
    os.environ["PATH"] = f"{tools}:{build}/tools:{os.environ['PATH']}"
    os.environ["CPATH"] = str(here / "include")
    os.environ["PYTHONPATH"] = str(tree / "python")
    os.environ["PYTHONUNBUFFERED"] = "1"
    os.environ["XDG_RUNTIME_DIR"] = str(here)
    for path in tree.iterdir():
        if not path.name.startswith((".", "build")):
            (here / path.name).symlink_to(path)


class Tap:
    def __init__(self):
        self.n = self.failed = 0

    def tell(self, block, problem=None, skip=None):
        self.n += 1
        if problem is not None:
            self.failed += 1
            print("".join(f"# {line}\n" for line in str(problem).splitlines()),
                  end="")
        print("not ok" if problem is not None else "ok", self.n,
              f"- {block.where}" + (f" # SKIP {skip}" if skip else ""),
              flush=True)


def run_page(page, place, tap):
    started = []
    skipped = False
    for block in read_page(page):
        if block is None:
            for running, problem in finish(started):
                tap.tell(running.block, f"{problem}\n{running.output[-4000:]}")
            skipped = False
            continue
        if block.language not in LANGUAGES:
            tap.tell(block, f"language {block.language!r}: name one of "
                     f"{LANGUAGES}, so that it can be run")
            continue
        if block.language == "text" and not block.has("file"):
            continue
        try:
            # What comes behind a part that is missing cannot work either.
            if skipped:
                raise Skip("a block before it was skipped")
            run_block(block, place, started)
            tap.tell(block)
        except Skip as skip:
            skipped = not block.has("not run")
            tap.tell(block, skip=skip)
        except (Failure, subprocess.TimeoutExpired) as failure:
            others = "".join(f"\n{r.block.where} printed:\n{r.output[-1500:]}"
                             for r in started)
            tap.tell(block, f"{failure}{others}")


def main():
    tree, page = (pathlib.Path(path).resolve() for path in sys.argv[1:3])
    build = pathlib.Path(sys.argv[3] if len(sys.argv) > 3
                         else tree / "build").resolve()
    tap = Tap()
    # Short: it becomes part of socket paths.
    with tempfile.TemporaryDirectory(prefix="doc") as folder:
        here = pathlib.Path(folder)
        prepare(tree, build, here)
        place = Place(here, tree, build)
        try:
            run_page(page, place, tap)
        finally:
            place.end()
    print(f"1..{tap.n}")
    sys.exit(1 if tap.failed else 0)


if __name__ == "__main__":
    main()
