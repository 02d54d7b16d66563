"""The TLS sections: what fits together, and whether the files are what they should be, at the line that names them."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tracer_proxy.config import certificates
from tracer_proxy.config.compile import compile_settings
from tracer_proxy.config.load import load_text
from tracer_proxy.config.schema import Config
from tracer_proxy.config.tls import of_pool, watched_files
from tracer_proxy.errors import ConfigError
from tracer_proxy.limits import TLS_FILE_BYTES_MAX

NOW = datetime.now(UTC)
ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with ``ca.pem``, ``cert.pem`` and its ``key.pem``, ``other.key``, and a certificate that has expired."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    good, other, old = (
        ca.issue_cert("a.test"),
        ca.issue_cert("b.test"),
        ca.issue_cert("a.test", not_after=NOW - timedelta(days=2)),
    )
    good.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    good.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    other.private_key_pem.write_to_path(str(tmp_path / "other.key"))
    old.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "old.pem"))
    return tmp_path


def text(tls: str, endpoint: str = "https://h", proxy: str = "") -> str:
    """``tls`` stands in line 5 from column 8 on, ``proxy`` in line 6."""
    return (
        "version: 1\nroutes: [{name: r, lanes: [{name: a, pool: p}]}]\npools:\n"
        f"  p: {{endpoints: ['{endpoint}'],\n  tls: {{{tls}}}}}\nproxy: {{{proxy}}}\n"
    )


def loaded(files: Path, tls: str, *, endpoint: str = "https://h", proxy: str = "") -> Config:
    return load_text(text(tls, endpoint, proxy).replace("@", f"{files}/"), "f.yaml", {})


def told(files: Path, tls: str, *, endpoint: str = "https://h", proxy: str = "") -> list[str]:
    """The problems, with the folder of the files shown as ``@``."""
    try:
        loaded(files, tls, endpoint=endpoint, proxy=proxy)
    except ConfigError as error:
        return [str(problem).replace(f"{files}/", "@") for problem in error.problems]
    return []


def test_nothing_to_complain_about(files: Path) -> None:
    listener = "tls: {cert: @cert.pem, key: @key.pem, client_ca: @ca.pem}"
    assert told(files, "ca: @ca.pem, cert: @cert.pem, key: @key.pem, server_name: a.test", proxy=listener) == []
    assert told(files, "verify: false") == []
    assert told(files, "cert: @old.pem, key: @old.pem") == [], "one file with both, expired"


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ("ca: @none.pem", "5:13: pools.p.tls.ca: found '@none.pem': cannot read the file: no such file or directory"),
        ("ca: @", "5:13: pools.p.tls.ca: found '@': cannot read the file: it is no ordinary file"),
        (
            "ca: @key.pem",
            "5:13: pools.p.tls.ca: found '@key.pem': the file holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
        ),
        ("ca: ca.pem", "the absolute path of a file, such as /etc/tracer-proxy/cert.pem"),
        (
            "ca: @ca.pem, verify: false",
            "verify: ca says whom to trust, and verify: false trusts everybody; keep one of the two",
        ),
        ("cert: @cert.pem", "pools.p.tls.cert: cert needs key beside it; one file may hold both, and is then named twice"),
        ("key: @key.pem", "pools.p.tls.key: key needs cert beside it; one file may hold both, and is then named twice"),
        (
            "cert: @cert.pem, key: @other.key",
            "pools.p.tls.key: found '@other.key': the key does not fit the certificate in '@cert.pem'",
        ),
        ("cert: @cert.pem, key: @ca.pem", "the file holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)"),
        ("server_name: 'https://a.test'", "expected a host name without port, such as api.example.com"),
        ("server_name: ''", "expected a host name without port, such as api.example.com"),
        ("certificate: @cert.pem", "unknown key 'certificate'"),
    ],
)
def test_what_is_wrong_with_a_pools_section(files: Path, tls: str, expected: str) -> None:
    problems = told(files, tls)
    assert len(problems) == 1
    assert problems[0].startswith("f.yaml:5:")
    assert expected in problems[0]


def test_damaged_files(files: Path) -> None:
    """None of what is in them is told."""
    secret = (files / "key.pem").read_text().splitlines()[1]
    damage = {
        "ca.pem": "-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----\n",
        "key.pem": (files / "key.pem").read_text().replace(secret[:8], "AAAAAAAA"),
        "locked.key": ENCRYPTED,
    }
    for name, content in damage.items():
        (files / name).write_text(content)
    problems = told(files, "ca: @ca.pem, cert: @cert.pem, key: @key.pem", proxy="tls: {cert: @cert.pem, key: @locked.key}")
    assert [problem.partition(": ")[2].partition(":")[0] for problem in problems] == [
        "pools.p.tls.ca",
        "pools.p.tls.key",
        "proxy.tls.key",
    ]
    assert "a certificate in the file is damaged; write the file anew" in problems[0]
    assert "the key cannot be used" in problems[1]
    assert "the key has a passphrase" in problems[2]
    assert not any(word in problem for problem in problems for word in ("secret", secret[8:20], "MIIB"))


def test_files_that_never_end(files: Path) -> None:
    os.mkfifo(files / "pipe")
    (files / "large.pem").write_bytes(b"x" * (TLS_FILE_BYTES_MAX + 1))
    for name, why in (("@pipe", "it is no ordinary file"), ("/dev/zero", "it is no ordinary file"), ("@large.pem", "larger")):
        assert why in told(files, f"ca: {name}")[0]


@pytest.mark.parametrize("endpoint", ["http://h", "unix:/run/agent.sock"])
def test_tls_needs_https(files: Path, endpoint: str) -> None:
    why = "this pool has tls, which is for https:// endpoints only; write https or remove tls"
    assert told(files, "verify: true", endpoint=endpoint) == [f"f.yaml:4:19: pools.p.endpoints[0]: found '{endpoint}': {why}"]


def test_tls_needs_a_tcp_listener(files: Path) -> None:
    problems = told(files, "", proxy="listen: 'unix:/run/p.sock', tls: {cert: @cert.pem, key: @key.pem}")
    assert len(problems) == 1
    assert "proxy.tls: TLS is for TCP, and proxy.listen names only Unix sockets" in problems[0]


def test_a_listener_needs_both(files: Path) -> None:
    assert told(files, "", proxy="tls: {cert: @cert.pem}") == ["f.yaml:6:9: proxy.tls: the key 'key' is missing"]


def test_warnings(files: Path) -> None:
    """Expired, and unchecked; neither keeps a config from loading."""
    config = loaded(files, "verify: false", proxy="tls: {cert: @old.pem, key: @old.pem, client_ca: @ca.pem}")
    found = {complaint.location: complaint.message for complaint in certificates.warnings(config, NOW)}
    assert list(found) == [("proxy", "tls", "cert"), ("pools", "p", "tls", "verify")]
    assert f"has expired on {NOW - timedelta(days=2):%Y-%m-%d}" in found["proxy", "tls", "cert"]
    # trustme's CAs end with the year 2037 or later, written in the other of the two forms of a date.
    later = {complaint.location for complaint in certificates.warnings(config, NOW + timedelta(days=365_000))}
    assert ("proxy", "tls", "client_ca") in later


def test_watched_files(files: Path) -> None:
    listener = "tls: {cert: @cert.pem, key: @key.pem, client_ca: @ca.pem}"
    config = loaded(files, "ca: @ca.pem, cert: @old.pem, key: @old.pem", proxy=listener)
    assert watched_files(config) == {files / name for name in ("ca.pem", "cert.pem", "key.pem", "old.pem")}
    assert watched_files(loaded(files, "verify: false")) == set()


def test_new_content_makes_a_new_description(files: Path) -> None:
    config = loaded(files, "ca: @ca.pem", proxy="tls: {cert: @cert.pem, key: @key.pem}")
    before = of_pool(config.pools["p"].tls), compile_settings(config.proxy).tls
    assert (of_pool(config.pools["p"].tls), compile_settings(config.proxy).tls) == before
    for name in ("ca.pem", "key.pem"):
        shutil.copy(files / "old.pem", files / name)
    after = of_pool(config.pools["p"].tls), compile_settings(config.proxy).tls
    assert after[0] != before[0]
    assert after[1] != before[1]
