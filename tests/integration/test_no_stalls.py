"""Many clients that send at the same moment: every one of them is answered, in every round.

To make them truly simultaneous the front is stopped while they send, and goes on with all of them ready at once; every
other round it is left running."""
import contextlib
import os
import pathlib
import re
import select
import signal
import socket
import ssl
import time

import pytest

import server as holdfast

ROUNDS = 60
CLIENTS = (64, 128, 129, 256, 512)
ROUND_SECONDS = 10.0


class Client:
    """One kept connection; never waits."""

    def __init__(self, sock, request):
        self.sock, self.request, self.got = sock, request, b""
        sock.setblocking(False)

    def send(self):
        self.got = b""
        assert self.sock.send(self.request) == len(self.request)

    def take(self):
        """Reads what there is; True when a whole answer is there."""
        try:
            while True:
                data = self.sock.recv(65536)
                if not data:
                    raise holdfast.Failed(f"the server hung up after {self.got!r}")
                self.got += data
        except (ssl.SSLWantReadError, BlockingIOError):
            pass
        head, end, body = self.got.partition(b"\r\n\r\n")
        if not end:
            return False
        assert head.startswith(b"HTTP/1.1 200 "), self.got
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        return len(body) >= length


def connect(server, transport):
    if transport == "unix":
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(server.unix_socket)
        return s
    s = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server.tls().wrap_socket(s, server_hostname="127.0.0.1")


def one_round(clients, front):
    if front:
        os.kill(front, signal.SIGSTOP)
    try:
        for c in clients:
            c.send()
    finally:
        if front:
            os.kill(front, signal.SIGCONT)
    poll = select.epoll()
    waiting = {c.sock.fileno(): c for c in clients}
    for fd in waiting:
        poll.register(fd, select.EPOLLIN)
    end = time.monotonic() + ROUND_SECONDS
    while waiting:
        left = end - time.monotonic()
        if left <= 0:
            raise holdfast.Failed(f"{len(waiting)} of {len(clients)} clients were not answered")
        for fd, _ in poll.poll(left):
            if fd in waiting and waiting[fd].take():
                del waiting[fd]
                poll.unregister(fd)
    poll.close()


@pytest.mark.parametrize("transport", ["unix", "tls"])
@pytest.mark.parametrize("count", CLIENTS)
def test_every_client_is_answered_in_every_round(desk, transport, count):
    token = desk.admin.token.encode()
    requests = [b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
                b"GET /api/v1/session HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + token + b"\r\n\r\n"]
    front = desk.child("front")
    clients = []
    try:
        clients += [Client(connect(desk, transport), requests[i % 2]) for i in range(count)]
        for n in range(ROUNDS):
            one_round(clients, front if n % 2 == 0 else 0)
    finally:
        for c in clients:
            c.sock.close()
    assert desk.child("front") == front


def connections_by_thread(front):
    """How many connections each thread's server watches, as the kernel tells of its epoll descriptors."""
    proc = pathlib.Path(f"/proc/{front}")
    links = {}
    for fd in (proc / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links[fd.name] = os.readlink(fd)
    counts = []
    for fd, link in links.items():
        if link == "anon_inode:[eventpoll]":
            watched = re.findall(r"^tfd:\s*(\d+)", (proc / "fdinfo" / fd).read_text(), re.M)
            counts.append(sum(links.get(w, "").startswith("socket:") for w in watched))
    return sorted(counts, reverse=True)


def test_a_burst_of_connections_is_shared_by_the_threads(desk):
    request = b"GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    front, clients = desk.child("front"), []
    try:
        os.kill(front, signal.SIGSTOP)  # so that all of them wait to be accepted when one thread wakes up
        clients += [Client(connect(desk, "unix"), request) for _ in range(40)]
        os.kill(front, signal.SIGCONT)
        one_round(clients, 0)
        first, second = connections_by_thread(front)[:2]
        assert 15 <= second <= first <= 30, (first, second)
        one_round(clients, 0)
    finally:
        os.kill(front, signal.SIGCONT)
        for c in clients:
            c.sock.close()
