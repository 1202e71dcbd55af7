"""Writes MaxMind DB files (https://maxmind.github.io/MaxMind-DB/, version 2) that say the countries of networks."""
import ipaddress
import struct
import time

MARKER = b"\xab\xcd\xefMaxMind.com"


def _head(kind, size):
    assert size < 29
    return bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])


def _text(s):
    return _head(2, len(s.encode())) + s.encode()


def _number(kind, n):
    raw = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return _head(kind, len(raw)) + raw


def _map(**members):
    return _head(7, len(members)) + b"".join(_text(k) + v for k, v in members.items())


LANGUAGES = ("de", "en", "es", "fr", "ja", "pt-BR", "ru", "zh-CN")


def _place(code):
    """As long as what MaxMind says of a country or continent; read are the codes alone."""
    names = _map(**{language: _text("a name in " + language) for language in LANGUAGES})
    return _map(geoname_id=_number(6, 1000000 + int.from_bytes(code.encode(), "big")), iso_code=_text(code), names=names)


def write(path, networks, built=None, kind="GeoLite2-Country"):
    """networks: {"192.0.2.0/24": "CH", …}, none of them inside another."""
    nodes, data, places = [[0, 0]], bytearray(), {}
    for code in sorted(set(networks.values())):
        places[code] = len(data)
        data += _map(continent=_place("EU"), country=_place(code), registered_country=_place(code))
    way, before = [0], 0  # nodes by depth on the way to the network before, which most have in common with it
    for text, code in networks.items():
        n = ipaddress.ip_network(text)
        bits, key = n.prefixlen + (96 if n.version == 4 else 0), int(n.network_address)
        del way[min(128 - (key ^ before).bit_length(), bits - 1) + 1:]
        for depth in range(len(way) - 1, bits - 1):
            node, bit = nodes[way[-1]], key >> (127 - depth) & 1
            if node[bit] == 0:
                nodes.append([0, 0])
                node[bit] = len(nodes) - 1
            way.append(node[bit])
        nodes[way[-1]][key >> (128 - bits) & 1] = ~places[code]
        before = key
    count = len(nodes)

    def record(v):  # a node; nothing; or data, behind 16 bytes of zeros
        return v if v > 0 else count if v == 0 else count + 16 + ~v

    tree = b"".join(struct.pack(">II", record(a), record(b)) for a, b in nodes)
    about = _map(binary_format_major_version=_number(5, 2), binary_format_minor_version=_number(5, 0),
                 build_epoch=_number(9, int(built or time.time())), database_type=_text(kind), description=_map(en=_text("made up")),
                 ip_version=_number(5, 6), languages=_head(11, 1) + _text("en"), node_count=_number(6, count),
                 record_size=_number(5, 32))
    path.write_bytes(tree + bytes(16) + data + MARKER + about)
