"""The reviews with their verdicts: a Python model of dbt-duckdb. It reads the model `reviews`."""

import drugmon


def model(dbt, _session):
    """Score the reviews as they are read; their verdicts are kept in memory until dbt writes."""
    dbt.config(materialized="table", packages=["drugmon"])
    reviews = dbt.ref("reviews").to_arrow_reader(8_192)
    with drugmon.load("minilm-druglib") as scorer:
        verdicts = scorer.score(reviews).read_all()
    return verdicts  # noqa: RET504  # dbt wants a return as the last statement
