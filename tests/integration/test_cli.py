"""The command line at the edges: output that cannot be written, the shells' completion, the manual page."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

import server as holdfast


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


def test_status_of_a_server_that_is_not_there_is_an_object_like_any_other(desk):
    """A watchdog that reads it must not have to tell 'no output' from 'all is well'."""
    nowhere = ("--address", f"https://127.0.0.1:{holdfast.free_port()}")
    for address in (nowhere, ("--address", "unix:/nowhere/api.sock")):
        r = desk.cli("status", *address, "-o", "json", code=7)
        said = json.loads(r.stdout)
        assert set(said) >= {"state", "keeper", "signer", "log", "sentence"}, said
        assert said["state"] == "unreachable" and said["keeper"] == "unknown"
        assert said["error"]["code"] == "unavailable" and said["error"]["exit"] == 7, said
        assert json.loads(r.stderr) == said["error"]
    r = desk.cli("status", *nowhere, code=7)
    assert r.stdout == "" and "can't be reached" in r.stderr
    # That it is not the server that was pinned is no matter of reaching it.
    r = desk.cli("status", "--cacert", "/etc/hostname", "-o", "json", code=None)
    assert r.returncode == 8 and r.stdout == "", r


def test_status_while_the_server_stops(new_server):
    """From the order to stop until nobody listens, each answer is an object, and none says that it serves for longer
    than it does."""
    s = new_server().start()
    s.init()
    s.serving()
    assert s.cli_json("status")["state"] == "serving"
    s.process.send_signal(signal.SIGTERM)
    seen = []
    end = time.monotonic() + 20
    while seen[-1:] != ["unreachable"]:
        assert time.monotonic() < end, seen
        r = s.cli("status", "-o", "json", code=None)
        said = json.loads(r.stdout)
        assert r.returncode == (0 if said["state"] == "serving" else 7), (r, said)
        seen.append(said["state"])
    assert set(seen) <= {"serving", "stopping", "sealed", "starting", "unreachable"} and seen[-1] == "unreachable", seen


# --- completion, in the shells themselves

COMPLETIONS = [  # what was typed; what a Tab must offer; what it must not
    ("holdfast oper", ["operator"], []),
    ("holdfast operator ", ["init", "freeze", "admin"], ["put"]),
    ("holdfast operator admin ", ["add", "recover"], ["freeze"]),
    ("holdfast secret put x --ki", ["--kind"], []),
    ("holdfast secret put x --kind ", ["password", "private_key"], ["--reason"]),
    ("holdfast status -o ", ["json", "table"], []),
    ("holdfast completion ", ["bash", "fish", "zsh"], []),
    ("holdfast audit verify /etc/hostn", ["/etc/hostname"], []),
    ("holdfast credential put x --policy /etc/hostn", ["/etc/hostname"], []),
]


def shell_environment(home):
    e = {k: v for k, v in os.environ.items() if not k.startswith("HOLDFAST_")}
    return {**e, "PATH": f"{holdfast.PROGRAM.parent}:{os.environ['PATH']}", "HOME": str(home), "TERM": "dumb",
            "XDG_CONFIG_HOME": str(home), "XDG_DATA_HOME": str(home), "XDG_CACHE_HOME": str(home)}


class Zsh:
    """At a terminal, as a person has it: completion runs in the line editor only."""

    def __init__(self, home):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            os.execvpe("zsh", ["zsh", "-f", "-i"], shell_environment(home))
        self.type("autoload -U compinit; compinit -D -u; source <(holdfast completion zsh); PS1=; LISTMAX=1000; echo re''ady\n")
        self.read("\nready")

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, end, seconds=20.0):
        out, until_time = "", time.monotonic() + seconds
        while end not in out:
            assert time.monotonic() < until_time, out
            if select.select([self.fd], [], [], 0.1)[0]:
                out += os.read(self.fd, 65536).decode(errors="replace")
        return out

    def offers(self, line):
        """What is on the screen after Ctrl-D, which lists what matches, and Tab, which types what is certain."""
        self.type(line + "\x04\t")
        self.type("\x01: \x05\necho do''ne\n")  # nothing of the line is run
        return self.read("\ndone")

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def test_zsh_completes(tmp_path):
    zsh = Zsh(tmp_path)
    try:
        for line, offered, others in COMPLETIONS:
            words = zsh.offers(line).replace("\r", " ").split(line, 1)[1].split()
            said = " ".join(words)
            for word in offered:
                rest = word[len(line.rsplit(" ", 1)[1]):]  # a single match is typed on
                assert word in words or rest in said, (line, word, said)
            assert not set(others) & set(words), (line, said)
    finally:
        zsh.close()


def test_fish_completes(tmp_path):
    script = tmp_path / "holdfast.fish"
    script.write_text(subprocess.run([holdfast.PROGRAM, "completion", "fish"], capture_output=True, text=True,
                                     check=True).stdout)
    for line, offered, others in COMPLETIONS:
        r = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"], capture_output=True,
                           text=True, env=shell_environment(tmp_path), timeout=30, check=True)
        words = {w.split("\t")[0] for w in r.stdout.splitlines()}
        assert r.stderr == "" and set(offered) <= words and not set(others) & words, (line, r)


# --- the manual page


def test_the_manual_page_is_clean(tmp_path):
    page = holdfast.SOURCE / "docs" / "holdfast.1"
    for command in (["man", "--warnings", "-l", page], ["groff", "-man", "-Tutf8", "-ww", page]):
        r = subprocess.run(list(map(str, command)), capture_output=True, env={**os.environ, "MANWIDTH": "80", "PAGER": "cat"},
                           timeout=60, check=True)
        assert r.stderr == b"" and b"operator freeze" in re.sub(rb".\x08", b"", r.stdout), (command, r.stderr)
