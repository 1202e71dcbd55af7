#!/usr/bin/env python3
"""Writes the corpora of tests/vectors/attacks and tests/vectors/ordinary as requests: patterns_corpus.py > FILE.

A record is a line "LABEL HALF TARGET-LENGTH HEADERS BODY-LENGTH", the target, for each header a line "NAME-LENGTH VALUE-LENGTH" with
name and value behind it, the body; each behind its own line break. HALF is 0 (thresholds and rules are set on it) or 1
(what is reported): by the CRC-32 of the payload with numbers taken out, and of payloads that differ in numbers only one is
kept, so that no payload of one half has a twin in the other."""
import json
import pathlib
import re
import sys
import urllib.parse
import zlib

import yaml

VECTORS = pathlib.Path(__file__).resolve().parents[1] / "vectors"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"

# What gotestwaf calls its cases, and the class here. Not taken: introspection of GraphQL, which is no attack on a parser.
CLASSES = {"sql-injection": "sqli", "community-sqli": "sqli", "xss-scripting": "xss", "community-xss": "xss",
           "path-traversal": "traversal", "community-lfi": "traversal", "community-lfi-multipart": "traversal",
           "rce": "command", "rce-urlparam": "command", "rce-urlpath": "command", "shell-injection": "command",
           "community-rce": "command", "community-rce-rawrequests": "command", "ldap-injection": "command",
           "nosql-injection": "command", "ss-include": "command", "sst-injection": "command", "xml-injection": "command",
           "community-xxe": "command", "crlf": "header", "mail-injection": "header", "community-user-agent": "header"}
PADDED = re.compile(r"community-(\d+)kb-(rce|sqli|xss)$")
BY_HAND = {"grpc": ["sqli", "xss"], "non-crud": ["xss", "sqli"], "rest": ["xss", "sqli", "xss", "xss", "xss", "sqli", "xss"],
           "soap": ["xss", "xss", "xss", "sqli", "xss"]}

seen = set()


def shape(payload):
    return re.sub(r"0x[0-9a-f]+|\d+", "0", payload.lower())


def half(payload):
    return zlib.crc32(shape(payload).encode("utf-8", "surrogateescape")) >> 3 & 1


def write(label, which, target, headers, body=b""):
    out = sys.stdout.buffer
    target = target.encode()
    body = body if isinstance(body, bytes) else body.encode()
    out.write(b"%s %d %d %d %d\n%s\n" % (label.encode(), which, len(target), len(headers), len(body), target))
    for name, value in headers.items():
        out.write(b"%d %d\n%s%s\n" % (len(name.encode()), len(value.encode()), name.encode(), value.encode()))
    out.write(body + b"\n")


def place(label, which, where, payload, encoded):
    """One request with the payload at a place; encoded says that it is written as it shall be sent."""
    headers = {"Host": "api.example.com", "User-Agent": AGENT, "Accept": "*/*"}
    quote = (lambda p: p) if encoded else (lambda p: urllib.parse.quote(p, safe="", errors="surrogateescape"))
    if where == "query":
        target = quote(payload)
        write(label, which, "/api/v1/items?id=" + re.sub(r"[\s&#]", lambda m: urllib.parse.quote(m[0]), target), headers)
    elif where == "path":
        write(label, which, "/" + re.sub(r"[\s?#]", lambda m: urllib.parse.quote(m[0]), quote(payload)), headers)
    elif where == "form":
        write(label, which, "/api/v1/items", headers | {"Content-Type": FORM}, "id=" + quote(payload).replace("&", "%26"))
    elif where == "json":
        write(label, which, "/api/v1/items", headers | {"Content-Type": JSON}, json.dumps({"test": True, "id": payload}))
    elif where == "header":
        write(label, which, "/api/v1/items", headers | {"X-Item": re.sub(r"[\r\n\0]", " ", payload)})
    elif where == "agent":
        write(label, which, "/api/v1/items", headers | {"User-Agent": payload})
    elif where == "xml":
        write(label, which, "/api/v1/items", headers | {"Content-Type": "text/xml"}, payload)
    elif where == "multipart":
        body = f'--b1\r\nContent-Disposition: form-data; name="id"\r\n\r\n{payload}\r\n--b1--\r\n'
        write(label, which, "/api/v1/items", headers | {"Content-Type": "multipart/form-data; boundary=b1"}, body)


PLACES = {"URLParam": "query", "URLPath": "path", "HTMLForm": "form", "HTMLMultipartForm": "multipart", "JSONRequest": "json",
          "JSONBody": "json", "Header": "header", "UserAgent": "agent", "XMLBody": "xml", "SOAPBody": "xml", "gRPC": "json",
          "RawRequest": "form"}


def gotestwaf(path, labels):
    # \\' is no escape of YAML 1.1, which is what reads it here.
    cases = yaml.safe_load(path.read_text().replace("- !!str |", "- |").replace("\"\\'", "\"\\\\'"))
    for i, payload in enumerate(cases["payload"]):
        label = labels[i] if isinstance(labels, list) else labels
        for place_name in cases["placeholder"]:
            name = place_name if isinstance(place_name, str) else next(iter(place_name))
            if name not in PLACES:
                continue
            plain = "Plain" in cases["encoder"]
            where = PLACES[name]
            place(label, half(payload), where, payload, plain and where in ("path", "query"))


def lines(path):
    for line in path.read_bytes().split(b"\n"):
        text = line.rstrip(b"\r").decode("utf-8", "surrogateescape")
        if text.strip() and not text.startswith("#"):
            yield text


def spread(label, payload):
    """Query, form or JSON, by the payload."""
    if shape(payload) in seen:
        return
    seen.add(shape(payload))
    raw = payload.encode("utf-8", "surrogateescape")
    where = ("query", "form", "json")[zlib.crc32(raw) % 3]
    place(label, half(payload), where, raw.decode("utf-8", "replace") if where == "json" else payload, False)


def main():
    waf = VECTORS / "attacks" / "gotestwaf"
    for path in sorted(waf.rglob("*.yml")):
        padded = PADDED.match(path.stem)
        if path.parent.name == "false-pos":
            gotestwaf(path, "lookalike")
        elif padded:
            gotestwaf(path, "padded")
        elif path.stem in CLASSES:
            gotestwaf(path, CLASSES[path.stem])
        elif path.stem in BY_HAND:
            gotestwaf(path, BY_HAND[path.stem])
    for path in sorted((VECTORS / "attacks" / "libinjection").glob("*.txt")):
        label = "lookalike" if path.stem == "false_positives" else path.stem.split("-")[0]
        for line in lines(path):
            spread(label, urllib.parse.unquote_plus(line, errors="surrogateescape"))
    for line in lines(VECTORS / "ordinary" / "values.txt"):
        spread("ordinary", line)
    for line in lines(VECTORS / "ordinary" / "requests.jsonl"):
        r = json.loads(line)
        write("ordinary", half(line), r["target"], r["headers"], r["body"])


main()
