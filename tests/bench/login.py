#!/usr/bin/env python3
"""Log-ins with a password: login.py BUILD DIRECTORY. One JSON object on standard output.

login_vs_argon2  whole log-ins a second of several users over the Unix socket, with session and durable record, against bare
                 Argon2id of the same cost (libsodium) in as many threads as Holdfast has for passwords. Rounds alternate; medians.
"""
import ctypes
import json
import pathlib
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time

from desk import PASSWORD, Server, request, result

BUILD, DIRECTORY = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
PASSES, MEMORY_KIB = 3, 65536  # about what the initialisation finds for 0.1 s
THREADS, USERS, ROUNDS, SECONDS = 2, 6, 5, 3


def side_by_side(count, once):
    """once(number) again and again in so many threads, each until its time is over: how many a second."""
    began, done = time.monotonic(), [0] * count
    ends = [began] * count

    def run(number):
        while ends[number] - began < SECONDS:
            once(number)
            done[number] += 1
            ends[number] = time.monotonic()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sum(d / (e - began) for d, e in zip(done, ends))


def ask(connection, wire):
    connection.sendall(wire)
    have = b""
    while b"\r\n\r\n" not in have or len(have.partition(b"\r\n\r\n")[2]) < int(have.lower().split(b"content-length:")[1].split()[0]):
        more = connection.recv(65536)
        if not more:
            raise SystemExit("bench: the server closed the connection")
        have += more
    if have[9:11] != b"20":
        raise SystemExit(f"bench: {have!r}")
    return json.loads(have.partition(b"\r\n\r\n")[2])


def connect(server):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(str(server.socket))
    return s


def login_of(name):
    return request("POST", "/api/v1/login", None, json.dumps({"name": name, "password": PASSWORD}))


def people(server):
    """One of his own for each connection: log-ins of one user wait for each other's row."""
    names, connection = [f"person-{n}" for n in range(USERS)], connect(server)
    token = ask(connection, login_of("admin"))["token"]
    for name in names:
        ask(connection, request("POST", "/api/v1/users", token, json.dumps({"name": name, "password": PASSWORD, "roles": ["viewer"]})))
    return [(connect(server), login_of(name)) for name in names]


def argon2_rate(sodium):
    """The foreign call gives the interpreter's lock back, so the threads run side by side."""
    text = ctypes.create_string_buffer(128)
    password = PASSWORD.encode()
    if sodium.crypto_pwhash_str(text, password, ctypes.c_ulonglong(len(password)), ctypes.c_ulonglong(PASSES),
                                ctypes.c_size_t(MEMORY_KIB * 1024)) != 0:
        sys.exit("bench: libsodium could not hash")
    return side_by_side(THREADS, lambda number: sodium.crypto_pwhash_str_verify(text, password, ctypes.c_ulonglong(len(password))))


def main():
    sodium = ctypes.CDLL("libsodium.so.23")
    if sodium.sodium_init() < 0:
        sys.exit("bench: libsodium does not start")
    home = pathlib.Path(tempfile.mkdtemp(prefix="login-", dir=DIRECTORY))
    server = Server(BUILD, home, config=f"argon2: {{passes: {PASSES}, memory_kib: {MEMORY_KIB}}}\n")
    ours, bare = [], []
    try:
        server.start()
        server.initialise()
        users = people(server)
        for number in range(ROUNDS):
            ours.append(side_by_side(USERS, lambda n: ask(*users[n])))
            bare.append(argon2_rate(sodium))
            print(f"round {number + 1}: {ours[-1]:.2f} log-ins/s, {bare[-1]:.2f} bare Argon2id/s", file=sys.stderr, flush=True)
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
    print(json.dumps({"login_vs_argon2": result(round(statistics.median(ours), 2), round(statistics.median(bare), 2), "log-ins/s")}))


if __name__ == "__main__":
    main()
