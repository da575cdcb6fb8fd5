"""The search for secrets finds them, wherever and however they are written."""
import base64
import contextlib
import io
import pathlib
import sys
import tempfile
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "secrets"))
import scan  # noqa: E402


def b64(data):
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


JWT = ".".join(map(b64, ('{"alg":"RS256","kid":"k"}', '{"iss":"https://iam.example.org/"}', "a signature of some length, or so")))
REGISTERED = "o0p1q2-opaque/token+with=all"


class Scan(unittest.TestCase):
    def run_on(self, text, secrets=REGISTERED):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "secrets").mkdir()
            (folder / "secrets" / "opaque-token").write_text(secrets + "\n")
            (folder / "out").mkdir()
            (folder / "out" / "serve.log").write_text(text)
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                code = scan.main(["--secrets", str(folder / "secrets"), str(folder / "out")])
            return code, out.getvalue()

    def test_what_is_planted_is_found_with_its_name_and_place(self):
        basic = base64.b64encode(f"registry:{REGISTERED}".encode()).decode()
        for text, name in [
            (f"refused {JWT}", "a signed JSON web token"),
            (f"refused {JWT}x and more", "a signed JSON web token"),
            (f"x={base64.b64encode(('xx' + JWT).encode()).decode()}", "a signed JSON web token (base64)"),
            (f"token={REGISTERED}.", "opaque-token"),
            (f"GET /?token={urllib.parse.quote(REGISTERED, safe='')}", "opaque-token (URL-encoded)"),
            (f"Authorization: Basic {basic}", "opaque-token (base64)"),
            (f"Authorization: Basicxyz{basic}", "opaque-token (base64)"),
            ("password labpassword", "lab-neo4j-and-keycloak"),
            ("-----BEGIN PRIVATE KEY-----", "a private key"),
            ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
            ("X-Auth-Token: gAAAAABm" + "x" * 80, "a Fernet token"),
            ("SimulatedSecret-0123", "a generated secret"),
        ]:
            code, out = self.run_on(f"one line\n{text}\n")
            self.assertEqual(code, 1, text)
            self.assertIn(f"serve.log:2: {name}\n", out, text)
            self.assertNotIn(REGISTERED, out)
            self.assertNotIn(JWT, out)

    def test_what_is_no_secret_is_left_alone(self):
        code, out = self.run_on(
            "a token was refused reason=\"audience\" detail=\"aud x\"\n"
            "0f6b3c0a2d7e4f5b9a1c3d5e7f9b1d3f eyJ eyJhbGciOiJub25lIn0.e30. sha256:" + "ab" * 32 + "\n-----BEGIN CERTIFICATE-----\n"
        )
        self.assertEqual(code, 0, out)

    def test_nothing_to_look_at_is_a_failure(self):
        with self.assertRaises(SystemExit):
            self.run_on("")
        with self.assertRaises(SystemExit):
            self.run_on("x\n", secrets="short")


if __name__ == "__main__":
    unittest.main()
