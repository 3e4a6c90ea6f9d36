"""The reviews with their verdicts: a Python model of dbt-duckdb. It reads the model `reviews`."""

import drugmon


def model(dbt, _session):
    """Score the reviews as they are read, so that memory is bounded."""
    dbt.config(materialized="table", packages=["drugmon"])
    reviews = dbt.ref("reviews").to_arrow_reader(8_192)
    with drugmon.load("minilm-druglib") as scorer:
        return scorer.score(reviews).read_all()
