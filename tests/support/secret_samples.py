"""Made-up secrets: in the form of real ones, put together from pieces so that no scanner takes this file for a leak."""

from __future__ import annotations

import base64
import json

CANARY = "Tango-4711/Velvet+Harbour=x9"  # signs that encodings change
OTHER = "zebra crossing 8125 lantern"


def _jwt() -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256"}, {"sub": "1"})]
    texts = [base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"signature-bytes")]
    return ".".join(texts)


KEY_BODY = "MIIEow" + "IBAAKCAQEA7bq" * 8
# Pattern name -> one sample for each pattern of its detector, in the detector's order.
SAMPLES: dict[str, list[str]] = {
    "aws": ["AKIA" + "IOSFODNN7EXAMPLE", "aws_secret_key = '" + "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY" + "'"],
    "azure": ["AccountKey=" + "ab3+" * 22],
    "basic_auth": ["https://anna:" + "s3cr3tHarbour" + "@db.example/x"],
    "discord": ["M" + "a1B2c3D4e5F6g7H8i9J0k1L2" + ".X1y2Z3." + "abcdefghijklmnopqrstuvwxyz0"],
    "github": ["ghp_" + "a1B2c3D4e5" * 3 + "f6G7h8"],
    "gitlab": [
        "glpat-" + "a1B2c3D4e5F6g7H8i9J0", "GR1348941" + "a1B2c3D4e5F6g7H8i9J0", "glcbt-" + "a1_B2c3D4e5F6g7H8i9J0",
        "glimt-" + "a1B2c3D4e5F6g7H8i9J0k1L2m", "glptt-" + "a1B2c3D4e5" * 4, "glagent-" + "a1B2c3D4e5" * 5,
        "gloas-" + "a1b2c3d4" * 8,
    ],
    "jwt": [_jwt()],
    "mailchimp": ["0123456789abcdef" * 2 + "-us12"],
    "npm": ["//registry.example/:_authToken=" + "npm_abcdefgh"],
    "openai": ["sk-" + "a1B2c3D4e5F6g7H8i9J0" + "T3BlbkFJ" + "a1B2c3D4e5F6g7H8i9J0"],
    "private_key": [
        f"-----BEGIN {kind}-----\n{KEY_BODY}\n-----END {kind}-----"
        for kind in (
            "DSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK", "PRIVATE KEY",
            "RSA PRIVATE KEY", "SSH2 ENCRYPTED PRIVATE KEY",
        )
    ] + ["PuTTY-User-Key-File-2" + f": ssh-rsa\n{KEY_BODY}"],
    "pypi": ["pypi-AgEIcHlwaS5vcmc" + "a1B2c3D4e5" * 7, "pypi-AgENdGVzdC5weXBpLm9yZw" + "a1B2c3D4e5" * 7],
    "sendgrid": ["SG." + "a1B2c3D4e5F6g7H8i9J0k1" + "." + "a1B2c3D4e5" * 4 + "f6G"],
    "slack": ["xoxb-" + "123456789012-a1b2c3d4e5", "https://hooks.slack.com/services/" + "T0001/B0001/a1B2c3D4e5"],
    "square": ["sq0csp-" + "a1B2c3D4e5" * 4 + "f6G"],
    "stripe": ["sk_live_" + "a1B2c3D4e5F6g7H8i9J0k1L2"],
    "telegram": ["123456789:" + "AAa1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q"],
    "twilio": ["AC" + "0123456789abcdef" * 2, "SK" + "0123456789abcdef" * 2],
}  # fmt: skip
OWN_SAMPLES: dict[str, str] = {
    "github": "github_pat_" + "a1B2c3D4e5F6g7H8i9J0k1" + "_" + "a1B2c3D4e5" * 5 + "f6G7h8I9j",
    "anthropic": "sk-ant-" + "api03-" + "a1B2c3D4e5" * 5,
    "google": "AIza" + "a1B2c3D4e5" * 3 + "f6G7h",
    "huggingface": "hf_" + "a1B2c3D4e5" * 3 + "f6G7",
    "npm": "npm_" + "a1B2c3D4e5" * 3 + "f6G7h8",
}

# Ordinary outputs in which nothing may be found.
BENIGN: dict[str, str] = {
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "git sha": "commit f6ad6d2c1b0a99887766554433221100ffeeddcc (HEAD -> main)",
    "md5sums": "d41d8cd98f00b204e9800998ecf8427e  a.md\n900150983cd24fb0d6963f7d28e17f72  b.md\n",
    "uuid": "550e8400-e29b-41d4-a716-446655440000",
    "dates": "2026-03-01T12:30:00Z, 1700000000, 2026-W09",
    "time stamp and hash": "1700000000:da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "image": base64.b64encode(bytes(range(256)) * 40).decode(),
    "prose about passwords": "My password: never use password=hunter2 or api_key = 'example'. The token expired.",
    "prose about keys": "A file that starts with BEGIN RSA PRIVATE KEY is a key; -----BEGIN PRIVATE KEY----- too.",
    "placeholder": "postgres://user:password@localhost/db and https://<user>:<token>@example.org and ftp://a:xxx@b",
    "addresses": "https://example.org:8080/a?b=c@d, ssh://git@example.org/x, 10.0.0.1",
    "identifiers": "Twilio, AccountKey, eyJ, ghp_short, sk-learn, glpat-x, AKIA, APARTMENTS AKCESS",
    "json web": "eyJ.eyJ.x and eyJhIjox.notjson.sig",
    "wiki": "[[Notes/2026-03-01]] #tag/sub ^block-id-8f3a2b",
    "mail": "anna@example.org <bob@example.org>",
    "python": "def main(token: str, password: str = '') -> str:\n    return f'{token}:{password}@'\n",
}
