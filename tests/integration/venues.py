"""What a venue does with a signed request, written from the venues' documents: none of Holdfast's code is used here."""
import hashlib
import hmac
import json
import pathlib
import struct
import urllib.parse

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors" / "signing" / "vectors-sample.jsonl"


def vector(name):
    """The line of the published vectors with this id."""
    for line in VECTORS.read_bytes().split(b"\n"):
        d = json.loads(line or b"{}")
        if d.get("id") == name:
            return d
    raise KeyError(name)


# --- HMAC


def hmac_hex(secret, text):
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def binance_accepts(signed, credentials):
    """The total parameters without the signature, as they came, under the secret."""
    query = urllib.parse.urlsplit(signed["url"]).query
    text = query + (signed.get("body") or "")
    payload, _, signature = text.rpartition("&signature=")
    headers = {k.lower(): v for k, v in signed["headers"].items()}
    return headers.get("x-mbx-apikey") == credentials["apiKey"] and hmac.compare_digest(
        hmac_hex(credentials["secret"], payload), signature)


def phemex_accepts(signed, credentials):
    """path + query + expiry + body."""
    url = urllib.parse.urlsplit(signed["url"])
    headers = {k.lower(): v for k, v in signed["headers"].items()}
    text = url.path + url.query + headers["x-phemex-request-expiry"] + (signed.get("body") or "")
    return headers["x-phemex-access-token"] == credentials["apiKey"] and hmac.compare_digest(
        hmac_hex(credentials["secret"], text), headers["x-phemex-request-signature"])


# --- Keccak-256 (FIPS 202's permutation with the padding of the original submission)


def _rotate(x, n):
    return ((x << n) | (x >> (64 - n))) & (2**64 - 1)


def _keccak_f(a):
    lfsr = 1
    for _ in range(24):
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        a = [[a[x][y] ^ d[x] for y in range(5)] for x in range(5)]
        x, y, current = 1, 0, a[1][0]
        for t in range(24):
            x, y = y, (2 * x + 3 * y) % 5
            current, a[x][y] = a[x][y], _rotate(current, (t + 1) * (t + 2) // 2 % 64)
        a = [[a[x][y] ^ (~a[(x + 1) % 5][y] & a[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
        for j in range(7):
            lfsr = ((lfsr << 1) ^ ((lfsr >> 7) * 0x71)) % 256
            if lfsr & 2:
                a[0][0] ^= 1 << ((1 << j) - 1)
    return a


def keccak256(data):
    rate = 136
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % rate)
    padded[-1] |= 0x80
    a = [[0] * 5 for _ in range(5)]
    for at in range(0, len(padded), rate):
        for i in range(rate // 8):
            a[i % 5][i // 5] ^= int.from_bytes(padded[at + 8 * i:at + 8 * i + 8], "little")
        a = _keccak_f(a)
    return b"".join(a[i % 5][i // 5].to_bytes(8, "little") for i in range(4))


# --- secp256k1: the address that made a signature

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
     0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def _add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        m = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) % P
    else:
        m = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (m * m - a[0] - b[0]) % P
    return x, (m * (a[0] - x) - a[1]) % P


def _multiply(k, point):
    result = None
    while k:
        if k & 1:
            result = _add(result, point)
        point = _add(point, point)
        k >>= 1
    return result


def address_of(point):
    return "0x" + keccak256(point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big"))[12:].hex()


def recover(digest, signature):
    """The address behind r ‖ s ‖ v; only the low s that venues take."""
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64] - 27
    assert 0 < r < N and 0 < s <= N // 2 and v in (0, 1)
    y = pow((r**3 + 7) % P, (P + 1) // 4, P)
    assert y * y % P == (r**3 + 7) % P
    if y % 2 != v:
        y = P - y
    z = int.from_bytes(digest, "big")
    inverse = pow(r, -1, N)
    return address_of(_add(_multiply(s * inverse % N, (r, y)), _multiply(-z * inverse % N, G)))


# --- Hyperliquid


def msgpack(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        for limit, head, form in ((0x80, b"", "B"), (0x100, b"\xcc", "B"), (0x10000, b"\xcd", ">H"),
                                  (2**32, b"\xce", ">I"), (2**64, b"\xcf", ">Q")):
            if 0 <= value < limit:
                return head + struct.pack(form, value)
        raise ValueError(value)
    if isinstance(value, str):
        data = value.encode()
        head = bytes([0xA0 | len(data)]) if len(data) < 32 else b"\xd9" + bytes([len(data)])
        return head + data
    if isinstance(value, list):
        assert len(value) < 16
        return bytes([0x90 | len(value)]) + b"".join(map(msgpack, value))
    assert len(value) < 16
    return bytes([0x80 | len(value)]) + b"".join(msgpack(k) + msgpack(v) for k, v in value.items())


def hyperliquid_signer(signed, testnet=False):
    """The address that the venue takes an L1 action to come from."""
    body = json.loads(signed["body"])
    assert set(body) == {"action", "signature", "nonce"}, body
    connection = keccak256(msgpack(body["action"]) + struct.pack(">Q", body["nonce"]) + b"\x00")
    domain = keccak256(keccak256(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
                       + keccak256(b"Exchange") + keccak256(b"1") + (1337).to_bytes(32, "big") + bytes(32))
    agent = keccak256(keccak256(b"Agent(string source,bytes32 connectionId)")
                      + keccak256(b"b" if testnet else b"a") + connection)
    s = body["signature"]
    raw = bytes.fromhex(s["r"][2:]) + bytes.fromhex(s["s"][2:]) + bytes([s["v"]])
    return recover(keccak256(b"\x19\x01" + domain + agent), raw)


def self_check():
    """The checker against the published lines: a checker that accepts anything would prove nothing."""
    v = vector("hyperliquid/hl-l1/order-gtc/s1/0")
    assert hyperliquid_signer({"body": v["expected"]["body"]}) == v["credentials"]["address"].lower()
    changed = v["expected"]["body"].replace("69919.8", "69919.9")
    assert hyperliquid_signer({"body": changed}) != v["credentials"]["address"].lower()
    for name, accepts in (("binance/binance-hmac/order-limit/s1/0", binance_accepts),
                          ("phemex/phemex/g-order-put/s1/0", phemex_accepts)):
        v = vector(name)
        signed = {"url": v["expected"]["url"], "body": v["expected"]["body"],
                  "headers": v["expected"]["headers"]}
        assert accepts(signed, v["credentials"]), name
        assert not accepts(signed, {**v["credentials"], "secret": "x"}), name
