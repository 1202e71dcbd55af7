"""Made-up files of networks, as large as those that people have, and the same each time. netfiles.py FILE: the countries'."""
import ipaddress
import pathlib
import random
import sys

from desk import ROOT

sys.path.append(str(ROOT / "tests/integration"))
import mmdb  # noqa: E402

COUNTRIES = [a + b for a in "ABCDEFGHIJ" for b in "ABCDEFGHIJKLMNOPQRST"]  # 200, without KP


def networks(seed, kind, begin, count, length, within):
    """So many neighbours of this length, each whole or cut into equal parts, with a country for each part."""
    dice, width = random.Random(seed), kind(0).max_prefixlen
    for number in range(count):
        whole, part = begin + (number << (width - length)), dice.choice(within)
        for k in range(1 << (part - length)):
            yield f"{kind(whole + (k << (width - part)))}/{part}", dice.choice(COUNTRIES)


def database(path):
    """380,000 networks; the country databases that people have know 200,000 to 500,000."""
    four = networks(1, ipaddress.IPv4Address, 1 << 24, 223 << 8, 16, [16] * 6 + [17] * 3 + [18] * 2 + [19, 20])
    six = networks(2, ipaddress.IPv6Address, 0x2001 << 112, 1 << 16, 32, [32] * 9 + [34] * 3 + [36])
    mmdb.write(path, {**dict(four), **dict(six)})


def feed(path, count):
    """Nine of ten are whole addresses; none in 192.0.2.0/24, from where the benchmarks ask."""
    dice, lines = random.Random(3), set()
    while len(lines) < count:
        at = dice.randrange(1 << 24, 192 << 24)
        lines.add(f"{ipaddress.IPv4Address(at)}" if dice.random() < 0.9 else str(ipaddress.IPv4Network((at & ~0xff, 24))))
    path.write_text("\n".join(sorted(lines)) + "\n")


if __name__ == "__main__":
    database(pathlib.Path(sys.argv[1]))
