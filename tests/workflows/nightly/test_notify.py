"""Who is told how the night goes, on loopback; and that it never matters to the night."""

from __future__ import annotations

import contextlib
import logging
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import NamedTuple

import pytest

from drugmon.workflows.nightly.notify import News, event_url, notify, url_fault
from drugmon.workflows.nightly.settings import Notify

END = News("success", "warn", 0, "warn sources=1", "/srv/reports/index.html")


class Ears(NamedTuple):
    """A server on loopback, and what it has heard: (method, path, body)."""

    url: str
    heard: list[tuple[str, str, str]]


@pytest.fixture(name="ears")
def _ears() -> Iterator[Ears]:
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def _hear(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            heard.append((self.command, self.path, body))
            self.send_response(404 if "/gone" in self.path else 200)
            self.end_headers()

        do_GET = do_POST = _hear  # noqa: N815 - http.server's names

        def log_message(self, *_given: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Ears(f"http://127.0.0.1:{server.server_port}", heard)
    server.shutdown()
    server.server_close()


@pytest.fixture(name="certificate")
def _certificate(tmp_path: Path) -> Path:
    """A key and a certificate that it signed itself."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    path = tmp_path / "server.pem"
    make = (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -keyout key.pem -out c.pem"
    )
    subprocess.run([openssl, *make.split()], cwd=tmp_path, check=True, capture_output=True)
    path.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "c.pem").read_text())
    return path


def test_a_url_is_called_as_healthchecks_has_it(ears: Ears, tmp_path: Path) -> None:
    config = Notify(url=f"{ears.url}/ping/secret/")
    for news in (News("start"), END, News("failure", "failed", 1, "failed sources=1")):
        notify(config, tmp_path, news)
    assert ears.heard == [
        ("GET", "/ping/secret/start", ""),
        ("POST", "/ping/secret", "warn sources=1"),
        ("POST", "/ping/secret/fail", "failed sources=1"),
    ]


def test_a_query_stays_behind_the_path() -> None:
    assert event_url("https://h.example/p?key=1", "failure") == "https://h.example/p/fail?key=1"


def test_the_command_finds_the_outcome_in_its_environment(tmp_path: Path) -> None:
    script = (
        "import os, sys; open('told', 'w').write(repr(sys.argv[1:]) + "
        "str(sorted((k[14:], v) for k, v in os.environ.items() if k.startswith('DRUGMON_NIGHT_'))))"
    )
    notify(Notify(command=(sys.executable, "-c", script, "$HOME;x")), tmp_path, END)
    assert (tmp_path / "told").read_text() == (
        "['$HOME;x'][('EVENT', 'success'), ('EXIT_CODE', '0'), "
        "('PAGES', '/srv/reports/index.html'), ('STATUS', 'warn'), ('SUMMARY', 'warn sources=1')]"
    )


def test_failures_are_warnings_that_keep_the_urls_secret(
    ears: Ears, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}/secret"
    failing = [
        (
            Notify(url=f"{ears.url}/gone/secret"),
            "notify.url at 127.0.0.1 answered 404 to 'success'",
        ),
        (Notify(url=closed), "notify.url at 127.0.0.1 was not reached for 'success': "),
        (Notify(command=("./nothing-here",)), "notify.command nothing-here cannot be run: No such"),
        (Notify(command=(sys.executable, "-c", "exit(3)")), "ended with 3 at 'success'"),
        (
            Notify(command=(sys.executable, "-c", "import time; time.sleep(60)"), timeout=0.3),
            "was stopped after 0.3 s at 'success'",
        ),
    ]
    for config, message in failing:
        caplog.clear()
        notify(config, tmp_path, END)
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert message in record.getMessage()
        assert "secret" not in record.getMessage()


def test_a_server_that_does_not_answer_is_left(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        began = time.monotonic()
        notify(Notify(url=url, timeout=0.3), tmp_path, END)
    assert time.monotonic() - began < 5
    assert "timed out" in caplog.text


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, certificate: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            try:
                context.wrap_socket(connection, server_side=True).close()
            except OSError:
                connection.close()

        thread = threading.Thread(target=greet)
        thread.start()
        notify(Notify(url=f"https://127.0.0.1:{server.getsockname()[1]}"), tmp_path, END)
        thread.join()
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_a_server_that_dribbles_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Every byte begins a socket's timeout anew: the call as a whole has one."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def dribble() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not over.wait(0.05):
                    connection.sendall(b"X: y\r\n")

        thread = threading.Thread(target=dribble)
        thread.start()
        began = time.monotonic()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/secret"
        notify(Notify(url=url, timeout=0.5), tmp_path, END)
        took = time.monotonic() - began
        over.set()
        thread.join()
    assert took < 3
    (record,) = caplog.records
    assert record.getMessage() == (
        "notify.url at 127.0.0.1 was not reached for 'success': timed out after 0.5 s"
    )


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://hc.example/ping/secret", None),
        ("http://[::1]:8000/secret?a=b", None),
        ("http://[::1", "its host or port is none"),
        ("http://h.example:99999/secret", "its host or port is none"),
        ("http://h.example:x/secret", "its host or port is none"),
        ("ftp://h.example/secret", "give an http or https address"),
        ("http:///secret", "give an http or https address"),
        ("https://h.example/secr et", "write what is not ASCII"),
        ("https://h.example/s\nx", "write what is not ASCII"),
        ("https://hü.example/secret", "write what is not ASCII"),
        ("https://h.example/gehört", "write what is not ASCII"),
        ("https://" + "h" * 64 + ".example/", "1 to 63 between the dots"),
        ("https://h..example/", "1 to 63 between the dots"),
        ("https://h.example/" + "x" * 3000, "give at most 2048 characters"),
    ],
)
def test_a_url_that_cannot_be_called_is_found_before(url: str, fault: str | None) -> None:
    told = url_fault(url)
    assert told is None if fault is None else fault in str(told)
    assert "secret" not in str(told)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/se cret", "http://hü:1/secret"])
def test_whatever_the_url_it_stays_secret_and_the_night_goes_on(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notify(Notify(url=url), tmp_path, END)
    (record,) = caplog.records
    assert "was not reached for 'success': " in record.getMessage()
    assert "cret" not in caplog.text


def test_a_command_with_a_nul_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notify(Notify(command=("tell\0",)), tmp_path, END)
    assert "cannot be run: embedded null byte" in caplog.text
