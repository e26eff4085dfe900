"""Records rooms of two real Synapses that are parted and meet again. See ../README.md.

usage: python3 record.py [--versions 1,2,…] [--keep FOLDER]
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

SYNAPSE = "matrix-synapse==1.163.2"
sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent


def ensure_synapse():
    """Goes on under a Python that has Synapse: this one, $SYNAPSE_PYTHON, or one made in the cache folder."""
    try:
        import synapse  # noqa: F401
        return
    except ImportError:
        pass
    python = os.environ.get("SYNAPSE_PYTHON")
    if python is None:
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
        venv = cache / "causeway" / SYNAPSE
        python = str(venv / "bin" / "python")
        if not (venv / "ready").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", SYNAPSE], check=True)
            (venv / "ready").touch()
    os.execv(python, [python, *sys.argv])


def record(folder, versions, out):
    from extract import extract, write
    from homeserver import Homeserver
    from wire import make_certificate
    from scenario import Room, admit, end, first_fork, found, reconcile, second_fork, third_fork

    folder.mkdir(exist_ok=True)
    certificate, tls_key = folder / "tls.crt", folder / "tls.key"
    make_certificate(certificate, tls_key)
    a, b = (Homeserver(folder / name, certificate, tls_key) for name in "ab")
    try:
        a.start()
        b.start()
        space = make_space(a, b)
        rooms = [Room(a, b, number, space) for number in versions]
        for step in [found, admit]:
            each(rooms, step)
        parted(a, b, rooms, first_fork)
        each(rooms, lambda room: room.meet("ada", "bob"))
        parted(a, b, rooms, second_fork)
        each(rooms, lambda room: room.meet("ada", "bob"))
        each(rooms, reconcile)
        parted(a, b, rooms, third_fork)
        each(rooms, lambda room: room.meet("ada", "carl"))
        each(rooms, end)
    finally:
        for server in (a, b):
            if hasattr(server, "process"):
                server.stop()
    for room in rooms:
        recording = extract([a, b], room.id, room.number)
        write(out / f"v{room.number}.json", recording)
        print(f"version {room.number}: {len(recording['events'])} events", flush=True)


def make_space(a, b):
    """The room whose members restricted rooms let in."""
    body = {"room_version": "10", "preset": "public_chat", "name": "Space"}
    space = a.client("ada", "POST", "createRoom", body)["room_id"]
    for localpart in ["dan", "della"]:
        a.join(localpart, space, a)
    for localpart in ["dora", "dave"]:
        b.join(localpart, space, a)
    b.wait_for_whole_state(space)
    return space


def each(rooms, step):
    for room in rooms:
        print(f"{getattr(step, '__name__', 'step')}: version {room.number}", flush=True)
        step(room)


def parted(a, b, rooms, step):
    """Does the step while neither server reaches the other."""
    a.front.part()
    b.front.part()
    each(rooms, step)
    time.sleep(1)
    a.front.meet()
    b.front.meet()
    time.sleep(1)


def main():
    ensure_synapse()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", default=",".join(str(n) for n in range(1, 13)))
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent / "rooms")
    parser.add_argument("--keep", type=pathlib.Path, help="work here and leave databases and logs")
    options = parser.parse_args()
    folder = options.keep or pathlib.Path(tempfile.mkdtemp(prefix="recorder-"))
    options.out.mkdir(exist_ok=True)
    try:
        record(folder, [int(n) for n in options.versions.split(",")], options.out)
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
