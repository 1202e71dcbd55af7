"""An RSA signature takes milliseconds. Whoever asks for many of them waits for his own, and nobody else does."""
import contextlib
import json
import select
import socket

import desk as trading
import pytest
import server as holdfast
import venues

WAITING = 200
KEY = (holdfast.SOURCE / "tests" / "vectors" / "keys" / "rsa4096.pem").read_text()
SLOW, FAST = "exchange/binance/slow", "exchange/hyperliquid/main"


class Bot:
    """One kept connection over the Unix socket; sends, and reads what there is."""

    def __init__(self, server, token):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(server.unix_socket)
        self.token, self.got = token, b""

    def send(self, order):
        body = json.dumps(order, separators=(",", ":"))
        self.sock.sendall((f"POST /api/v1/sign HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.token}\r\n"
                           f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())

    def has_answer(self):
        return bool(select.select([self.sock], [], [], 0)[0])

    def answer(self):
        head, end, body = self.got.partition(b"\r\n\r\n")
        while not end or len(body) < int(head.lower().split(b"content-length:")[1].split()[0]):
            data = self.sock.recv(65536)
            if not data:
                raise holdfast.Failed("the server hung up")
            self.got += data
            head, end, body = self.got.partition(b"\r\n\r\n")
        self.got = b""
        if b" 200 " not in head.split(b"\r\n")[0]:
            raise holdfast.Failed(f"{head!r} {body!r}")
        return json.loads(body)


def order():
    return {"credential": SLOW, "method": "POST", "path": "/api/v3/order",
            "body": "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000"}


@pytest.fixture(scope="module")
def bots(desk):
    # No windows: nothing but the key itself makes these orders slow.
    policy = {k: v for k, v in trading.BINANCE_POLICY.items() if k != "windows"} | {"symbols": ["BTCUSDT"]}
    trading.store(desk, "binance", SLOW, policy, scheme="binance-rsa", bundle={"api_key": "a-key", "secret": KEY})
    trading.store(desk, "hyperliquid")
    token = trading.make_key(desk, "bot")["key"]
    with contextlib.ExitStack() as stack:
        made = [Bot(desk, token) for _ in range(WAITING + 1)]
        for b in made:
            stack.callback(b.sock.close)
        for b, first in ((made[0], order()), (made[-1], trading.order("hyperliquid"))):  # both keys are loaded
            b.send(first)
            b.answer()
        yield made


def test_a_queue_of_rsa_signatures_keeps_no_other_key_waiting(bots):
    slow, fast = bots[:-1], bots[-1]
    for b in slow:
        b.send(order())
    assert select.select([b.sock for b in slow], [], [], 20)[0]  # the queue is being worked off
    fast.send(trading.order("hyperliquid"))
    signed = fast.answer()
    done = sum(b.has_answer() for b in slow)
    assert done < WAITING / 2, f"{done} of {WAITING} RSA signatures, asked for before, came first"
    assert venues.hyperliquid_signer(signed) == trading.published("hyperliquid")["credentials"]["address"].lower()
    answers = [b.answer() for b in slow]
    assert len({a["signature"] for a in answers}) == WAITING
    assert len({a["nonce"] for a in answers}) == WAITING

