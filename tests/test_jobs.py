"""The ready-made jobs: what a scheduler would do with them."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from drugmon.version import __version__
from drugmon.workflows.nightly.config import load_nightly

ROOT = Path(__file__).resolve().parents[1]
JOBS = ROOT / "jobs"
COMMAND = "/opt/drugmon/.venv/bin/drugmon"
SETTINGS = "/srv/reviews/nightly.toml"


def cron_line() -> str:
    lines = (JOBS / "crontab").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line and not line.startswith("#"))
    return line


def manifests() -> dict[str, Any]:
    documents = yaml.safe_load_all((JOBS / "kubernetes.yaml").read_text(encoding="utf-8"))
    return {document["kind"]: document for document in documents}


def test_the_cluster_of_kuberay_fits_its_command() -> None:
    """The command's options are those of `drugmon score`; Ray is the pinned one; workers fit."""
    from drugmon.cli.commands.score import score

    text = (JOBS / "kuberay.yaml").read_text(encoding="utf-8")
    spec = yaml.safe_load(text)["spec"]
    program, command, *arguments = shlex.split(spec["entrypoint"])
    assert (program, command) == ("drugmon", "score")
    options = score.make_context("score", arguments).params
    assert (options["kind"], options["ray_address"]) == ("ray", "auto")
    cluster = spec["rayClusterSpec"]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert f"ray=={cluster['rayVersion']}\n" in pins
    (group,) = cluster["workerGroupSpecs"]
    cores = int(group["rayStartParams"]["num-cpus"])
    assert options["workers"] == group["replicas"] * cores
    for pod in (cluster["headGroupSpec"], group):
        (container,) = pod["template"]["spec"]["containers"]
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert options["out"].startswith(f"{mounts['reviews']}/")
        assert options["source"].startswith(f"{mounts['reviews']}/")


@pytest.mark.parametrize("name", ["kubernetes.yaml", "kuberay.yaml"])
def test_images_are_of_this_version(name: str) -> None:
    tags = re.findall(r"image: \S+/drugmon\S*:(\S+)", (JOBS / name).read_text(encoding="utf-8"))
    assert set(tags) == {__version__}


def test_crontab_has_one_line_that_cron_can_read() -> None:
    fields, command = cron_line().split()[:5], cron_line().split(maxsplit=5)[5]
    assert all(re.fullmatch(r"[\d*,/-]+", field) for field in fields)
    assert not re.search(r"(?<!\\)%", command), "cron reads a bare % as a newline"


def test_readme_shows_the_same_line() -> None:
    assert cron_line() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_crontabs_command_runs_as_cron_runs_it(
    tmp_path: Path, adapter: Path, labelled: Path
) -> None:
    """Cron gives `/bin/sh` a nearly empty environment and the home as working directory."""
    data, home = tmp_path / "my data", tmp_path / "home"
    data.mkdir()
    home.mkdir()
    shutil.copy(labelled, data / "reviews.csv")
    settings = (JOBS / "nightly.toml").read_text(encoding="utf-8")
    settings = settings.replace('"reviews.parquet"', '"reviews.csv"')
    settings = settings.replace("# adapter = ", f'adapter = "{adapter}" # ')
    (data / "nightly.toml").write_text(settings, encoding="utf-8")
    command = cron_line().split(maxsplit=5)[5]
    for there, here in (
        (COMMAND, f"'{Path(sys.executable).with_name('drugmon')}'"),
        (SETTINGS, f"'{data / 'nightly.toml'}'"),
        ("/var/log/drugmon.log", f"'{tmp_path / 'cron.log'}'"),
    ):
        assert there in command
        command = command.replace(there, here)
    environment = {
        "HOME": str(home),
        "LOGNAME": "drugmon",
        "PATH": "/usr/bin:/bin",
        "SHELL": "/bin/sh",
        # Not cron's: where the tiny base is.
        "DRUGMON_MODELS": os.environ["DRUGMON_MODELS"],
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=home,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    log = (tmp_path / "cron.log").read_text(encoding="utf-8")
    assert (done.returncode, done.stdout, done.stderr) in ((0, "", ""), (4, "", "")), log
    last = log.splitlines()[-1]
    assert re.match(r"drugmon nightly: (ok|warn|failed) sources=1 failed=0 scored=120 ", last), log
    assert (data / "reviews.scored.csv").is_file()
    assert (data / "reports" / "index.html").is_file()
    assert "drugmon nightly: " in (data / "nightly.log").read_text(encoding="utf-8")
    assert list(home.iterdir()) == []


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    systemd = shutil.which("systemd-analyze")
    if systemd is None:
        pytest.skip("needs systemd-analyze")
    command = tmp_path / "drugmon"
    command.symlink_to("/bin/true")
    for name in ("drugmon-nightly.service", "drugmon-nightly.timer"):
        unit = (JOBS / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(unit.replace(COMMAND, str(command)), encoding="utf-8")
    units = [tmp_path / "drugmon-nightly.service", tmp_path / "drugmon-nightly.timer"]
    done = subprocess.run(
        [systemd, "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_runs_the_command_and_the_timer_catches_up() -> None:
    service = (JOBS / "drugmon-nightly.service").read_text(encoding="utf-8")
    timer = (JOBS / "drugmon-nightly.timer").read_text(encoding="utf-8")
    assert f"\nExecStart={COMMAND} nightly {SETTINGS}\n" in service
    assert "\nReadWritePaths=/srv/reviews\n" in service
    assert "\nPersistent=true\n" in timer


def test_the_cron_job_is_locked_down_and_never_doubled() -> None:
    job = manifests()["CronJob"]["spec"]
    assert job["concurrencyPolicy"] == "Forbid"
    pod = job["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert set(container["resources"]) == {"requests", "limits"}
    mounts = {mount["name"] for mount in container["volumeMounts"]}
    assert mounts == {volume["name"] for volume in pod["volumes"]}
    assert pod["restartPolicy"] == "Never", "a failure policy for pods needs that"


def test_the_cron_jobs_settings_write_to_its_claim_only(tmp_path: Path) -> None:
    settings = manifests()["ConfigMap"]["data"]["nightly.toml"]
    tomllib.loads(settings)
    (tmp_path / "nightly.toml").write_text(settings, encoding="utf-8")
    config = load_nightly(tmp_path / "nightly.toml")
    written = [config.state, config.pages, Path(config.tasks[0].score.source)]
    assert all(path.is_relative_to("/data") for path in written)
    assert config.log.file == ""


@pytest.mark.parametrize("name", ["airflow_dag.py", "dagster_asset.py", "dbt_model.py"])
def test_orchestrators_files_are_python_and_told_of(name: str) -> None:
    tree = ast.parse((JOBS / name).read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assert f"`{name}`" in (JOBS / "README.md").read_text(encoding="utf-8")


def test_the_dbt_model_has_the_form_that_dbt_parses() -> None:
    tree = ast.parse((JOBS / "dbt_model.py").read_text(encoding="utf-8"))
    (model,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert (model.name, len(model.args.args), model.args.args[0].arg) == ("model", 2, "dbt")
    last = model.body[-1]
    assert isinstance(last, ast.Return) and not isinstance(last.value, ast.Tuple)


def test_the_dbt_model_scores_what_it_is_given(
    monkeypatch: pytest.MonkeyPatch, adapter: Path
) -> None:
    import duckdb

    import drugmon

    load = drugmon.load
    monkeypatch.setattr(drugmon, "load", lambda _name: load(str(adapter), device="cpu"))
    scope: dict[str, Any] = {}
    exec((JOBS / "dbt_model.py").read_text(encoding="utf-8"), scope)

    class Dbt:
        def config(self, **_settings: object) -> None: ...

        def ref(self, _name: str) -> Any:
            return duckdb.sql("SELECT 1 AS id, 'good' AS review")

    table = scope["model"](Dbt(), None)
    assert table.num_rows == 1
    assert table["overall_sentiment"][0].as_py() in ("negative", "neutral", "positive")


def test_the_image_is_not_roots_and_is_asked_how_it_is() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    first = [line.split()[0] for line in lines if line and line[0].isupper()]
    assert first.count("FROM") == 2
    assert {"USER", "HEALTHCHECK", "ENTRYPOINT"} <= set(first[first.index("FROM", 2) :])
    assert "USER 10001" in lines
