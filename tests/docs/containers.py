#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stands in for a container engine, where there is none, with what the pages use of it.

  containers.py build FILE   runs a Dockerfile's COPY and RUN on this machine
  containers.py up FILE      runs the services of a compose file until Ctrl-C, each with
                             mount, network, PID, IPC and UTS namespaces of its own, and
                             the volumes
Needs root, and a machine that may be changed (machine.py).
"""
import pathlib
import re
import shlex
import subprocess
import sys
import time

import yaml

CONTAINER = ("unshare --mount --net --pid --ipc --uts --fork --mount-proc "
             "--kill-child").split()


def build(file):
    lines = re.sub(r"\\\n", " ", file.read_text()).splitlines()
    for line in filter(None, lines):
        word, rest = line.split(maxsplit=1)
        if word == "COPY":
            source, target = rest.split()
            pathlib.Path(target).mkdir(exist_ok=True)
            subprocess.run(["cp", "--recursive", "--dereference", f"{source}/.", target],
                           check=True)
        elif word == "RUN":
            subprocess.run(["sh", "-ec", rest], check=True)
        elif word != "FROM":
            sys.exit(f"what is {line!r}?")


def start(name, service, volumes):
    known = {"image", "user", "devices", "volumes", "mem_limit", "command"}
    if not known >= set(service):
        sys.exit(f"what is {set(service) - known} of {name}?")
    steps = ["mount -t tmpfs tmpfs /run"]
    for volume in service["volumes"]:
        source, target = volume.split(":")
        steps.append(f"mkdir -p {target}; mount --bind {volumes / source} {target}")
    user = service["user"]
    steps.append(f"exec setpriv --reuid {user} --regid {user} --clear-groups "
                 f"{' '.join(map(shlex.quote, shlex.split(service['command'])))}")
    return subprocess.Popen([*CONTAINER, "sh", "-ec", "; ".join(steps)])


def up(file):
    composed = yaml.safe_load(file.read_text())
    # Not below /run, which is each container's own.
    volumes = pathlib.Path("/var/lib/volumes")
    users = {service["user"] for service in composed["services"].values()}
    for name in composed["volumes"]:
        (volumes / name).mkdir(parents=True)
        # An engine gives a new volume the owner of the folder in the image.
        subprocess.run(["chown", users.pop(), volumes / name], check=True)
    running = [start(name, service, volumes)
               for name, service in composed["services"].items()]
    while all(process.poll() is None for process in running):
        time.sleep(0.2)
    sys.exit("a service ended")


if __name__ == "__main__":
    {"build": build, "up": up}[sys.argv[1]](pathlib.Path(sys.argv[2]))
