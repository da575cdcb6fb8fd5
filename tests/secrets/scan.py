#!/usr/bin/env python3
"""Looks for secrets in what the programs of this project printed.

    tests/secrets/scan.py [--secrets FOLDER]... FILE_OR_FOLDER...

A secret is: a line of `known` beside this file; a file in a folder of --secrets (its name says what it is, its content is the
secret); and whatever has the form of one: a signed JSON web token, a private key (PEM), a Fernet token, a generated value that
holds SimulatedSecret. Each is found plain, URL-encoded and in base64, also in the middle of something longer.
Prints one line for each, FILE:LINE and the name, never the secret. The exit status is not 0 when there is one, or nothing to look at.
"""
import argparse
import base64
import binascii
import pathlib
import re
import sys
import urllib.parse

KNOWN = pathlib.Path(__file__).with_name("known")
FORMS = {
    # three parts, the first two of which are objects, and a signature
    "a signed JSON web token": rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{20,}",
    "a private key": rb"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a Fernet token": rb"gAAAAA[A-Za-z0-9_-]{60,}",
    "a generated secret": rb"SimulatedSecret",
}
LONG = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
HEX = re.compile(rb"[0-9a-f-]+")
SHORTEST = 6


def secrets(folders):
    """Name and value of each."""
    found = [line.split(" ", 1) for line in KNOWN.read_text().splitlines() if line and not line.startswith("#")]
    for folder in folders:
        for file in sorted(folder.rglob("*")) if folder.is_dir() else []:
            found += [(file.name, line) for line in file.read_text().splitlines() if line.strip()]
    short = [name for name, value in found if len(value.strip()) < SHORTEST]
    if short:
        raise SystemExit(f"too short to be looked for: {', '.join(short)}")
    return [(name, value.strip().encode()) for name, value in found]


class Search:
    def __init__(self, known):
        self.names = {}
        for name, value in known:
            self.names.setdefault(value, name)
        plain = b"|".join(sorted((re.escape(value) for value in self.names), key=len, reverse=True))
        self.known = re.compile(plain or rb"(?!)")
        self.forms = {name: re.compile(form) for name, form in FORMS.items()}

    def plain(self, line):
        yield from (self.names[found.group()] for found in self.known.finditer(line))
        for name, form in self.forms.items():
            if form.search(line):
                yield name

    def line(self, line):
        """The names of what is in a line, however it is written."""
        found = dict.fromkeys(self.plain(line))
        if b"%" in line or b"+" in line:
            found |= {f"{name} (URL-encoded)": None for name in self.plain(urllib.parse.unquote_to_bytes(line.replace(b"+", b" "))) if name not in found}
        for run in LONG.findall(line):
            if HEX.fullmatch(run):  # ids and digests: there are many
                continue
            text = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
            # what stands before it may have run into it: any of four places can be the beginning
            for start in range(4):
                part = text[start:]
                part = part[: len(part) - (len(part) % 4 == 1)]
                try:
                    inner = base64.b64decode(part + b"=" * (-len(part) % 4))
                except binascii.Error:
                    continue
                found |= {f"{name} (base64)": None for name in self.plain(inner) if name not in found}
        return list(found)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--secrets", type=pathlib.Path, action="append", default=[])
    parser.add_argument("places", type=pathlib.Path, nargs="+")
    options = parser.parse_args(arguments)
    search = Search(secrets(options.secrets))
    files = [file for place in options.places for file in (sorted(place.rglob("*")) if place.is_dir() else [place]) if file.is_file()]
    lines = found = 0
    for file in files:
        with open(file, "rb") as content:
            seen = set()
            for number, line in enumerate(content, 1):
                lines += 1
                line = line.rstrip(b"\n")
                # the same line again and again, but for its time
                if (rest := line[30:]) and hash(rest) in seen:
                    continue
                seen.add(hash(rest))
                for name in search.line(line):
                    found += 1
                    print(f"{file}:{number}: {name}")
    print(f"{lines} lines in {len(files)} files, {len(search.names)} known secrets and {len(FORMS)} forms of secrets")
    if not lines:
        raise SystemExit("there is nothing to look at: were the tests run with FEDREG_TEST_OUTPUT?")
    print(f"{int(not found)} passed, {found} failed")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
