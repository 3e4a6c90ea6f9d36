"""Every night at half past two: drugmon as a DAG of Airflow 3. Change the two paths.

In Airflow 2.9 and later, import from airflow.decorators and airflow.operators.bash.
"""

from datetime import datetime

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import dag

DRUGMON = "/opt/drugmon/.venv/bin/drugmon"
SETTINGS = "/srv/reviews/nightly.toml"


@dag(
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,  # a run judges what is there, not a day of the past
    max_active_runs=1,
    # Trying again would judge a night whose gate failed a second time, and mend nothing; one that
    # was cut off is gone on with by the next start, and a busy database is waited for.
    default_args={"retries": 0},
    tags=["drugmon"],
)
def drugmon_nightly():
    """Score what is new, judge it, and fail where a gate fails."""
    BashOperator(task_id="nightly", bash_command=f"{DRUGMON} nightly {SETTINGS}")


drugmon_nightly()
