"""Kubernetes quantities as exact numbers, by the grammar of apimachinery/pkg/api/resource: digits, then a suffix or an exponent."""
import re
from fractions import Fraction

GRAMMAR = re.compile(r"([+-]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")
SCALE = {None: Fraction(1), "": Fraction(1), "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": Fraction(10**3)}
SCALE |= {letter: Fraction(10 ** (3 * power)) for power, letter in enumerate("MGTPE", 2)}
SCALE |= {f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", 1)}


def quantity(text):
    found = GRAMMAR.fullmatch(str(text))
    if not found:
        raise ValueError(f"{text!r} is no quantity")
    sign, digits, exponent, suffix = found.groups()
    value = Fraction(digits if not digits.endswith(".") else digits + "0")
    if not digits[0].isdigit():
        value = Fraction("0" + digits)
    value *= Fraction(10) ** int(exponent) if exponent else SCALE[suffix]
    return -value if sign == "-" else value
