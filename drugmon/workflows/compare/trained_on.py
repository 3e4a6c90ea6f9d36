"""Whether a model is measured on reviews that it was trained on."""

from __future__ import annotations

from drugmon.models.adapters.adapter import Adapter
from drugmon.training.reviews.dataset import LabelledReviews
from drugmon.training.reviews.seen import count_seen


def trained_on(adapter: Adapter, source: str, reviews: LabelledReviews) -> str | None:
    """What to say of `adapter` measured on the `reviews` of `source`; None: it knows none of them.

    An adapter that keeps no hashes of its training reviews is told only where `reviews` are all of
    them, in their order.
    """
    name, data = adapter.manifest.name, adapter.manifest.data
    if data is None:  # a base by itself
        return None
    key = data.fingerprint
    if reviews.fingerprint() == key:
        return (
            f"{source} is what adapter {name} was trained on: its figures say nothing about new "
            "reviews"
        )
    seen = count_seen(adapter.folder, reviews, key)
    if seen:
        return (
            f"{seen:,} of the {len(reviews):,} reviews of {source} are among those that adapter "
            f"{name} was trained on: its figures are better than on new reviews"
        )
    return None
