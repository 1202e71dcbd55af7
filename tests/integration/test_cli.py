"""The command line where it goes wrong: output that cannot be written, a server that is sealed, on its way out or gone."""
import json
import os
import pathlib
import subprocess

import pytest

import server as holdfast
from server import until


def run(s, *arguments, stdout, **more):
    e = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_")}
    e.update(HOLDFAST_HOME=str(s.profile), HOLDFAST_DATA_DIR=str(s.data))
    return subprocess.run([holdfast.PROGRAM, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=stdout,
                          stderr=subprocess.PIPE, text=True, env=e, timeout=30, start_new_session=True, check=False, **more)


def closed_pipe():
    """Its reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize("out", [lambda: os.open("/dev/full", os.O_WRONLY), closed_pipe], ids=["full", "closed"])
def test_shares_that_nobody_could_read_belong_to_no_installation(new_server, out, form):
    """Or the first thing that an operator has is an installation that can never be unsealed again."""
    s = new_server().start()
    init = ("operator", "init", "--shares", 3, "--threshold", 2, "--config", s.config_file, "--key-passphrase-file",
            s.home / "key-passphrase", "-o", form)
    fd = out()
    r = run(s, *init, stdout=fd)
    os.close(fd)
    assert r.returncode == 7 and "nothing was initialised" in r.stderr and "void" in r.stderr, r
    r = s.cli("operator", "status", code=7)
    assert "not initialised" in r.stdout
    assert not (s.profile / "administrator.key").exists()
    made = s.init(shares=3, threshold=2)  # at once, with nothing to clear away
    s.serving()
    s.cli("operator", "seal", "--yes")
    for share in made["shares"][:2]:
        s.cli("operator", "unseal", "--share-file", s.file("share", share))
    s.serving()


def test_output_that_cannot_be_written_is_no_success(desk):
    for command in (("status",), ("help",), ("audit", "export"), ("operator", "status"), ("version",)):
        with open("/dev/full", "w") as full:
            r = run(desk, *command, stdout=full)
        assert r.returncode == 7 and "code:  io\n" in r.stderr, (command, r)
    r = subprocess.run([holdfast.PROGRAM, "version"], stderr=subprocess.PIPE, text=True, close_fds=True,
                       preexec_fn=lambda: os.close(1), check=False)
    assert r.returncode == 7, r
