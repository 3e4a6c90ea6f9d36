"""The verdicts as an asset of Dagster, made every night. Change the path."""

from dagster import (
    AssetExecutionContext,
    Definitions,
    MaterializeResult,
    ScheduleDefinition,
    asset,
    define_asset_job,
)

import drugmon

REVIEWS = "/srv/reviews/reviews.parquet"


@asset(group_name="reviews")
def review_verdicts(context: AssetExecutionContext) -> MaterializeResult:
    """Four verdicts a review, beside the reviews; only rows that have changed are scored again."""
    result = drugmon.score(REVIEWS)
    report = drugmon.report(result.outputs[0])
    if report.failed:
        context.log.warning("the gate failed: %s", "; ".join(report.summary.reasons))
    return MaterializeResult(
        metadata={
            "scored": result.scored,
            "reused": result.reused,
            "empty": result.empty,
            "gate": str(report.summary.status),
            "page": str(report.page),
        }
    )


nightly = define_asset_job("drugmon_nightly", [review_verdicts])
defs = Definitions(
    assets=[review_verdicts],
    schedules=[ScheduleDefinition(job=nightly, cron_schedule="30 2 * * *")],
)
