"""What the service counts, for Prometheus. Paths are those of the API; no text is a label."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from typing import Final

import pyarrow as pa
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from drugmon.labels import TARGETS
from drugmon.models.adapters.manifest import first_identity

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)


class Metrics:
    """The numbers of one service.

    Args:
        identity: of what scores: an adapter, or a cascade of two.
        waiting: tells how many reviews wait.
        dropped: tells how many recorded verdicts could not be kept.
    """

    def __init__(
        self, identity: str, waiting: Callable[[], float], dropped: Callable[[], float]
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, of no use here
        registry = self._registry = CollectorRegistry()
        self._first = first_identity(identity)
        info = Gauge("drugmon_adapter", "What scores.", ["adapter"], registry=registry)
        info.labels(identity).set(1)
        queue = Gauge("drugmon_queue_reviews", "Reviews that wait.", registry=registry)
        queue.set_function(waiting)
        lost = Gauge(
            "drugmon_record_dropped", "Verdicts that could not be recorded.", registry=registry
        )
        lost.set_function(dropped)
        self._requests = Counter(
            "drugmon_requests", "Requests answered.", ["path", "status"], registry=registry
        )
        self._seconds = Histogram(
            "drugmon_request_seconds", "Seconds to the answer's end.", ["path"], registry=registry
        )
        self._reviews = Counter("drugmon_reviews", "Reviews computed.", registry=registry)
        self._sent_on = Counter(
            "drugmon_sent_on",
            "Reviews that the second adapter of a cascade judged too.",
            registry=registry,
        )
        self._batches = Histogram(
            "drugmon_batch_reviews", "Reviews in a batch.", buckets=_SIZES, registry=registry
        )
        self._batch_seconds = Histogram(
            "drugmon_batch_seconds", "Seconds that a batch took.", registry=registry
        )
        self._labels = Counter(
            "drugmon_labels", "Verdicts by label.", ["target", "label"], registry=registry
        )

    def batch(self, verdicts: pa.RecordBatch, seconds: float) -> None:
        """Count a batch."""
        self._reviews.inc(verdicts.num_rows)
        judges = verdicts.column("drugmon_adapter").to_pylist()
        self._sent_on.inc(sum(judge != self._first for judge in judges))
        self._batches.observe(verdicts.num_rows)
        self._batch_seconds.observe(seconds)
        for target in TARGETS:
            counts = Tally(verdicts.column(f"{target}_sentiment").to_pylist())
            for label, count in counts.items():
                self._labels.labels(target, label or "none").inc(count)

    def request(self, path: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self._registry)
