"""Fixtures of the tests with real processes. Nothing is skipped: a missing part fails."""
import contextlib

import pytest

import server as holdfast


@pytest.fixture
def new_server():
    """Makes servers that end with the test."""
    made = []

    def make(**more):
        s = holdfast.Server(**more)
        made.append(s)
        return s

    yield make
    for s in made:
        s.remove()


@pytest.fixture(scope="module")
def desk():
    """One server for a file of tests: initialised by passphrase, unsealed, the administrator enrolled."""
    s = holdfast.Server()
    try:
        yield s.begin()
    finally:
        s.remove()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for s in holdfast.running:
            with contextlib.suppress(OSError):
                report.sections.append((f"log of the server in {s.home}", s.log()))
