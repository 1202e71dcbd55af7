"""What `meson install` puts down runs from wherever it lies, without being told where its parts are."""
import os
import subprocess

import pytest

import server as holdfast


@pytest.fixture
def installed(tmp_path):
    subprocess.run(["meson", "install", "-C", holdfast.BUILD, "--no-rebuild", "--quiet", "--destdir", tmp_path], check=True)
    found = list(tmp_path.glob("**/bin/holdfast"))
    assert len(found) == 1, f"holdfast was not installed below {tmp_path}"
    return found[0].parents[1]


def test_installed_tree_serves_and_knows_its_venues(installed, new_server, monkeypatch):
    assert not os.path.exists("/usr/share/holdfast"), "this host has Holdfast installed, whose venues would be found"
    monkeypatch.setattr(holdfast, "PROGRAM", installed / "bin" / "holdfast")
    s = new_server()
    del s.config["venues_dir"]
    s.write_config()
    s.start()
    s.init()
    s.serving()
    s.enrol()
    s.login()
    shown = s.cli("credential", "venues").stdout
    assert all(name in shown for name in ("binance", "phemex", "hyperliquid")), shown
    for role in holdfast.ROLES:
        program = os.readlink(f"/proc/{s.child(role)}/exe")
        assert program == str(installed / "libexec" / "holdfast" / f"holdfast-{role}")


def test_installed_files(installed):
    share = installed / "share"
    for kind, ending in (("venues", "yaml"), ("policies", "json")):
        there = {p.name: p.read_bytes() for p in (share / "holdfast" / kind).glob(f"*.{ending}")}
        assert there == {p.name: p.read_bytes() for p in (holdfast.SOURCE / "spec" / kind).glob(f"*.{ending}")} != {}
    assert list((share / "man").glob("man1/holdfast.1*"))
