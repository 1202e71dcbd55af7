"""An authenticator in a few lines: makes a passkey and signs with it, right, or wrong in what a test says. Real browsers are
in test_page.py."""
import base64
import hashlib
import json
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

PRESENT, VERIFIED, ELIGIBLE, ATTESTED = 1, 4, 8, 64


def b64(data):
    return base64.b64encode(data).decode()


def _cbor(value):
    """As much of RFC 8949 as a credential needs."""
    def head(major, n):
        return bytes([major << 5 | n]) if n < 24 else bytes([major << 5 | 24, n]) if n < 256 else bytes([major << 5 | 25]) + n.to_bytes(2, "big")
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value)) + value.encode()
    return head(5, len(value)) + b"".join(_cbor(k) + _cbor(v) for k, v in value.items())


class Passkey:
    """counts: signatures are counted; without, the counter stays 0, as synchronised passkeys have it."""

    def __init__(self, port, counts=False, host="localhost"):
        self.origin, self.rp_id = f"https://{host}:{port}", host
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.id, self.handle, self.count, self.counts = os.urandom(32), b"", 0, counts

    def _data(self, flags, credential=b""):
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big") + credential

    def _client(self, kind, question, **more):
        return json.dumps({"type": kind, "challenge": base64.urlsafe_b64encode(base64.b64decode(question["challenge"])).rstrip(b"=").decode(),
                           "origin": self.origin, "crossOrigin": False, **more}).encode()

    def created(self, question, name="test"):
        self.handle = base64.b64decode(question["user_handle"])
        n = self.key.public_key().public_numbers()
        cose = _cbor({1: 2, 3: -7, -1: 1, -2: n.x.to_bytes(32, "big"), -3: n.y.to_bytes(32, "big")})
        data = self._data(PRESENT | VERIFIED | ATTESTED, bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose)
        return {"ceremony": question["ceremony"], "name": name, "id": b64(self.id), "client_data": b64(self._client("webauthn.create", question)),
                "attestation_object": b64(_cbor({"fmt": "none", "attStmt": {}, "authData": data})), "transports": ["internal"]}

    def answer(self, question, flags=PRESENT | VERIFIED, **more):
        self.count += self.counts
        client, data = self._client("webauthn.get", question, **more), self._data(flags)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return {"ceremony": question["ceremony"], "id": b64(self.id), "client_data": b64(client), "authenticator_data": b64(data),
                "signature": b64(signature), "user_handle": b64(self.handle)}

    # --- over the API

    def register(self, api, password, name="test"):
        question = api.ok("POST", "/api/v1/me/mfa/passkeys/begin", {"password": password})
        return api.ok("POST", "/api/v1/me/mfa/passkeys", self.created(question, name))

    def login(self, api, **more):
        question = api.ok("POST", "/api/v1/login/passkey/begin")
        return api.call("POST", "/api/v1/login/passkey", {"passkey": self.answer(question, **more)})
