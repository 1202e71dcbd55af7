#!/usr/bin/env python3
"""Writes cases.txt: exact results by Python's decimal module, with the limits of base/decimal.h applied."""
import decimal, random

decimal.getcontext().prec = 400
decimal.getcontext().Emin, decimal.getcontext().Emax = -9999, 9999
rng = random.Random(20261122)


def text(d):
    """Shortest form, or "range" outside of |digits| < 10^36, scale 0..36."""
    sign, digits, exponent = d.as_tuple()
    digits = list(digits)
    while exponent < 0 and digits and digits[-1] == 0:
        digits.pop()
        exponent += 1
    number = int("".join(map(str, digits)) or "0")
    if exponent > 0:
        number, exponent = number * 10**exponent, 0
    if number == 0:
        return "0"
    if number >= 10**36 or exponent < -36:
        return "range"
    return f"{decimal.Decimal((sign, tuple(map(int, str(number))), exponent)):f}"


def random_number():
    n = rng.randint(1, rng.choice([1, 3, 9, 18, 19, 20, 35, 36]))
    number = rng.choice([rng.randrange(10**n), 10**n - 1, 10 ** (n - 1), 2**rng.randrange(60), 5**rng.randrange(40)])
    scale = rng.choice([0, 0, 1, 2, 8, n, 18, 35, 36])
    sign = rng.choice("+-") == "-"
    return text(decimal.Decimal((int(sign), tuple(map(int, str(number))), -scale)))


def draw():
    while (d := random_number()) == "range":
        pass
    return d


fixed = ["0", "1", "-1", "0.1", "9" * 36, "-" + "9" * 36, "0." + "0" * 35 + "1", "0." + "9" * 36, "1" + "0" * 35, "1.5", "-0." + "9" * 36]
pairs = [(a, b) for a in fixed for b in fixed] + [(draw(), draw()) for _ in range(1500)]
pairs += [(a, text(-decimal.Decimal(a))) for a in (draw() for _ in range(50))]
with open("cases.txt", "w") as out:
    for a, b in pairs:
        x, y = decimal.Decimal(a), decimal.Decimal(b)
        out.write(f"{a} {b} {(x > y) - (x < y)} {text(x + y)} {text(x * y)}\n")
