"""Hostile clients, each kind in a process of its own: flood.py KIND SECONDS KEY=VALUE… Says "ready" when all of it is under way, and at the
end one line of JSON: what it managed to do."""
import contextlib
import itertools
import json
import select
import socket
import ssl
import sys
import time


def tcp(port, source):
    s = socket.socket()
    s.bind((source, 0))
    s.connect(("127.0.0.1", port))
    return s


def unix(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    return s


def tls(s):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    s.settimeout(20)
    return c.wrap_socket(s)


def ready():
    print("ready", flush=True)


def slow(end, count, port, source):
    """Heads that never end, a few bytes at a time; who is thrown out comes again."""
    def begin():
        s = tls(tcp(int(port), source))
        s.sendall(b"GET /api/v1/guard/verdict HTTP/1.1\r\nHost: a\r\n")
        s.setblocking(False)
        return s
    open_ones = [begin() for _ in range(int(count))]
    ready()
    sent = thrown_out = 0
    for turn in itertools.count():
        if time.monotonic() >= end:
            break
        for i, s in enumerate(open_ones):
            try:
                s.send(b"X-%d: a\r\n" % turn)
                sent += 1
            except (OSError, ssl.SSLError):
                thrown_out += 1
                with contextlib.suppress(OSError):
                    s.close()
                with contextlib.suppress(OSError):
                    open_ones[i] = begin()
        time.sleep(0.5)
    return {"pieces": sent, "thrown_out": thrown_out}


def idle(end, count, path):
    """Kept connections that were served once, and then say nothing."""
    open_ones = []
    for _ in range(int(count)):
        s = unix(path)
        s.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
        s.settimeout(20)
        assert s.recv(4096).startswith(b"HTTP/1.1 200"), "an idle client was not served"
        open_ones.append(s)
    ready()
    time.sleep(max(0, end - time.monotonic()))
    p = select.poll()
    for s in open_ones:
        p.register(s, select.POLLIN | select.POLLHUP)
    ended = len(p.poll(0))
    return {"open": len(open_ones) - ended}


def connect(end, port, source):
    """Connections as fast as they can be opened, each let go at once."""
    ready()
    done = failed = 0
    while time.monotonic() < end:
        try:
            tcp(int(port), source).close()
            done += 1
        except OSError:
            failed += 1
    return {"connections": done, "failed": failed}


def hold(end, count, port, source):
    """As many as it gets, held without a word."""
    open_ones, failed = [], 0
    for _ in range(int(count)):
        try:
            open_ones.append(tcp(int(port), source))
        except OSError:
            failed += 1
    ready()
    time.sleep(1)
    p = select.poll()
    for s in open_ones:
        p.register(s, select.POLLIN | select.POLLHUP)
    ended = len(p.poll(0))
    time.sleep(max(0, end - time.monotonic()))
    return {"opened": len(open_ones), "kept": len(open_ones) - ended, "failed": failed}


def strangers(end, path, addresses, first=0):
    """Verdicts without a credential, each from another address, as a proxy would ask for them; 50 at a time."""
    s, asked, answered, n = unix(path), 0, 0, int(first)
    s.settimeout(20)
    ready()
    while time.monotonic() < end and asked < int(addresses):
        batch = b"".join(b"GET /api/v1/guard/verdict HTTP/1.1\r\nHost: a\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: /whoami\r\n"
                         b"X-Forwarded-For: %d.%d.%d.%d\r\n\r\n" % (11 + (n + i >> 24), n + i >> 16 & 255, n + i >> 8 & 255, n + i & 255)
                         for i in range(50))
        n, asked = n + 50, asked + 50
        if asked % 5000 == 0:  # a connection serves so many, and no more
            s.close()
            s = unix(path)
            s.settimeout(20)
        s.sendall(batch)
        left, tail = 50, b""
        while left:
            piece = s.recv(1 << 18)
            assert piece, "the server ended the connection"
            data = tail + piece
            left -= data.count(b"HTTP/1.1 ")
            tail = data[-8:] if not data.endswith(b"HTTP/1.1 ") else b""
        answered += 50
        # Bodies of the last answer may still come: the next round counts heads alone.
    return {"asked": asked, "answered": answered}


if __name__ == "__main__":
    kind, seconds = sys.argv[1], float(sys.argv[2])
    options = dict(word.split("=", 1) for word in sys.argv[3:])
    print(json.dumps(globals()[kind](time.monotonic() + seconds, **options)), flush=True)
