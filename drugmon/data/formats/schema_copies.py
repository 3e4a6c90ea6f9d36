"""Copies of a parquet file's schema in its metadata, by which some readers go.

Spark reads the columns that its copy lists and no others, so verdicts beside it would be hidden.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Final

import pyarrow as pa

from drugmon.data.verdicts.columns import PLAIN, VerdictColumns

ARROW: Final = b"ARROW:schema"
_SPARK: Final = b"org.apache.spark.sql.parquet.row.metadata"
_OTHERS: Final = (b"parquet.avro.schema", b"avro.schema", b"iceberg.schema", b"parquet.proto.class")
"""Of parquet-avro, Iceberg and parquet-protobuf; without them these go by the columns."""


def with_verdicts(
    metadata: Mapping[bytes, bytes] | None, verdicts: VerdictColumns = PLAIN
) -> dict[bytes, bytes] | None:
    """Return a file's metadata where no copy of the schema hides the verdicts.

    Spark's copy lists them from then on; one that cannot be read goes, as do those of others.
    """
    if metadata is None:
        return None
    kept = {key: value for key, value in metadata.items() if key not in (_SPARK, *_OTHERS)}
    if (spark := _spark_with_verdicts(metadata.get(_SPARK, b""), verdicts)) is not None:
        kept[_SPARK] = spark
    return kept


def arrow_copy(schema: pa.Schema) -> dict[bytes, bytes]:
    """Return Arrow's copy of a schema, as Arrow lays it down itself where it is not told not to."""
    return {ARROW: base64.b64encode(schema.serialize().to_pybytes())}


def _spark_with_verdicts(copy: bytes, verdicts: VerdictColumns) -> bytes | None:
    try:
        struct = json.loads(copy)
        review_fields = [field for field in struct["fields"] if field["name"] not in verdicts.names]
    except (ValueError, LookupError, TypeError):
        return None
    return json.dumps(
        {**struct, "fields": [*review_fields, *map(_spark_field, verdicts.schema)]}
    ).encode()


def _spark_field(field: pa.Field) -> dict[str, object]:
    kind = "timestamp" if pa.types.is_timestamp(field.type) else str(field.type)
    return {"name": field.name, "type": kind, "nullable": True, "metadata": {}}
