"""The service is asked whatever its own description lets a client ask, and more, by schemathesis.

Put schemathesis into an environment of its own, and its `bin` at the end of the PATH.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzzing import fuzz
from tests.serving.service.conftest import Process

HOOKS = Path(__file__).with_name("service_hooks.py")
EACH = 1_700
"""Requests of each of the three doors that take reviews, which makes 5,000 of them."""
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    "response_schema_conformance",
)


@pytest.fixture(name="service")
def _service(adapter: Path) -> Iterator[Process]:
    process = Process(adapter)
    yield process
    process.popen.kill()
    process.popen.wait()


@fuzz
def test_five_thousand_requests_cause_no_bug(service: Process, tmp_path: Path) -> None:
    program = shutil.which("schemathesis")
    if program is None:
        pytest.skip("needs schemathesis")
    command = [program, "--no-color", "run", f"{service.url}/openapi.json", "-n", str(EACH)]
    command += ["--phases", "coverage,fuzzing", "--checks", ",".join(CHECKS)]
    command += ["--continue-on-failure", "--no-shrink", "--suppress-health-check", "all"]
    command += ["--request-timeout", "120", "--seed", "15"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": str(HOOKS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    found = re.search(r"([\d,]+) generated, ([\d,]+) passed", done.stdout)
    assert found and found[1] == found[2], done.stdout
    assert int(found[1].replace(",", "")) >= 5_000
    assert service.popen.poll() is None
    # Which schemathesis also sends, to see what gets through.
    assert set(service.said[1:]) <= {"drugmon: Invalid HTTP request received.\n"}
