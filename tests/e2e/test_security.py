"""The promises of docs/security.md are kept by tests that are there."""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Promises(unittest.TestCase):
    def test_every_promise_names_tests_that_exist(self) -> None:
        page = (ROOT / "docs/security.md").read_text()
        promises = re.split(r"^\d+\. ", page.split("## Promises")[1], flags=re.M)[1:]
        self.assertGreaterEqual(len(promises), 17)
        sources = "\n".join(
            file.read_text() for folder in ("registry", "feeder") for file in (ROOT / folder).rglob("*.rs") if "target" not in file.parts
        )
        sources += "\n".join(file.read_text().replace("def ", "fn ") for file in (ROOT / "tests/e2e").glob("test_*.py"))
        for promise in promises:
            named = re.findall(r"`([a-z_0-9]+)`", promise.replace("`jku`, `x5u`, `jwk`, `iss`", ""))
            files = re.findall(r"`([a-z/]+\.(?:rs|py))`", promise)
            self.assertTrue(named or files, promise)
            for name in named:
                self.assertIn(f"fn {name}(", sources, promise)
            for file in files:
                self.assertTrue((ROOT / file).is_file(), file)
