# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine to throw away, for what a page does as root.

It has the files of this one, in an overlay that forgets what is written, the
plugins where an installed GStreamer finds them, and a systemd of its own, in a
container of systemd-nspawn without network. It ends with its last process.
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

SECONDS_TO_BOOT = 60
START = """
cd "$1"
mount -t tmpfs tmpfs "$PWD"
cd "$PWD"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
shift
mkdir -p root/etc/systemd/system
printf '%s\\n' '[Unit]' 'Requires=systemd-journald.service dbus.service' \
    'After=systemd-journald.service dbus.service' > root/etc/systemd/system/guide.target
plugins=root$(pkg-config --variable=pluginsdir gstreamer-1.0)
cp "$1"/gst/shmframe/libgstshmframe.so "$1"/gst/secondbatch/libgstsecondbatch.so "$plugins"
cp "$1"/tools/shmframe-top root/usr/bin
shift
for cgroup in $1; do
    mkdir "$cgroup"
    echo $$ > "$cgroup/cgroup.procs"
done
shift
exec systemd-nspawn --quiet --directory=root --register=no --keep-unit \
    --private-network --console=pipe "$@" --boot systemd.unit=guide.target
"""
CLEAN = ["env", "-i", "HOME=/root", "LANG=C.UTF-8", "PATH=/usr/local/sbin:"
         "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]


def new_cgroups(name):
    """Paths for cgroups in which nspawn can keep its own, wherever systemd looks.

    Without, two machines at once would share one of each service, and systemd
    cannot kill processes of other machines, which have no number in its own."""
    found = []
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, kind, path = line.split(":", 2)
        for tree in {"": ("unified", ""), "name=systemd": ("systemd",)}.get(kind, ()):
            folder = pathlib.Path("/sys/fs/cgroup", tree, path[1:])
            if (folder / "cgroup.procs").exists():
                found.append(folder / name)
                break
    return found


class Missing(Exception):
    """What this machine lacks to have another one inside."""


def process_one(pid):
    """The first process of the container that nspawn runs, or None."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    for child in children.split():
        status = pathlib.Path(f"/proc/{child}/status").read_text()
        numbers = [line.split() for line in status.splitlines()
                   if line.startswith("NSpid:")][0]
        if len(numbers) == 3 and numbers[2] == "1":
            return child
    return None


class Machine:
    def __init__(self, here, tree, build):
        if os.geteuid() != 0:
            raise Missing("needs root")
        if not shutil.which("systemd-nspawn"):
            raise Missing("no systemd-nspawn")
        # Others than root go there, too.
        os.chmod(here, 0o755)
        self._here = here
        self._log = (here / "machine.log").open("w+")
        # Not in the page's folder, which would have all of the machine in it.
        self._folder = tempfile.TemporaryDirectory()
        # A folder below /tmp is hidden by the container's own.
        binds = [f"--bind={here}", f"--bind-ro={tree}", f"--bind-ro={build}"]
        self._cgroups = new_cgroups(pathlib.Path(self._folder.name).name)
        # It shuts down when this process ends, however it does.
        self._nspawn = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "unshare", "--mount", "--propagation",
             "private", "bash", "-euc", START, "machine", self._folder.name, build,
             " ".join(map(str, self._cgroups)), *binds], stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=self._log, start_new_session=True)
        self._leader = None
        self._boot()

    def _boot(self):
        end = time.monotonic() + SECONDS_TO_BOOT
        while time.monotonic() < end:
            if self._nspawn.poll() is not None:
                self._log.seek(0)
                said = self._log.read().strip().splitlines() or ["it ended"]
                raise Missing(f"no machine: {said[-1]}")
            try:
                self._leader = process_one(self._nspawn.pid)
                if self._leader and subprocess.run(
                        self.command("systemctl --quiet is-active guide.target"),
                        check=False, capture_output=True).returncode == 0:
                    return
            except (FileNotFoundError, ProcessLookupError):
                pass
            time.sleep(0.2)
        self.end()
        raise Missing("no machine: systemd does not start")

    def command(self, text):
        """What runs shell commands in it, as root, in the page's folder."""
        return ["setpriv", "--pdeathsig", "KILL", "nsenter", "--target", self._leader,
                "--mount", "--uts", "--ipc", "--pid", "--net", "--root", *CLEAN, "bash",
                "-euo", "pipefail", "-c", f"cd {self._here}; {text}"]

    def write(self, path, text):
        subprocess.run(self.command(f"mkdir -p $(dirname {path}); cat > {path}"),
                       input=text, text=True, check=True)

    def end(self):
        self._nspawn.terminate()
        try:
            self._nspawn.wait(20)
        except subprocess.TimeoutExpired:
            # With its first process all others go, and then nspawn.
            os.kill(int(self._leader or self._nspawn.pid), signal.SIGKILL)
            self._nspawn.wait()
        for cgroup in self._cgroups:
            for folder, _, _ in os.walk(cgroup, topdown=False):
                os.rmdir(folder)
        self._log.close()
        self._folder.cleanup()
