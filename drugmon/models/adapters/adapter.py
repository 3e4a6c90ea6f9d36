"""The adapter folder: finding it, verifying it, and making the model that scores from it.

It holds LoRA's matrices, or a whole fine-tuned checkpoint; a base that answers in words needs
neither and scores as it is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drugmon.data.verdicts.atomic import replacing
from drugmon.errors import AdapterError
from drugmon.hashes import file_sha256
from drugmon.models.adapters.manifest import Manifest, read_manifest, with_files
from drugmon.models.bases.bases import Base, resolve_base
from drugmon.models.files import (
    CARD,
    CHECKPOINT,
    HEADS,
    LEXICON,
    LORA_CONFIG,
    MANIFEST,
    RANGES,
    REFERENCE,
    REFERENCE_OF_LIKELIEST,
)

if TYPE_CHECKING:
    from torch import nn

    from drugmon.models.classifiers.classifier import Classifier, ClassifierModel
    from drugmon.models.classifiers.lexical import LexicalModel
    from drugmon.models.device import Compute

_PACKAGE: Final = Path(__file__).resolve().parents[2]
# In a wheel, in a checkout.
_SHIPPED: Final = (_PACKAGE / "_adapters", _PACKAGE.parent / "adapters")


@dataclass(frozen=True)
class Adapter:
    """An adapter folder whose manifest has been read."""

    folder: Path
    manifest: Manifest
    resolved: Base | None = None
    """The base where it is at hand already."""

    def under(self, rule: str | None) -> Adapter:
        """The same adapter deciding by `rule`; None leaves its own. See `Manifest.under`."""
        return replace(self, manifest=self.manifest.under(rule))

    @property
    def reference(self) -> Path | None:
        """The profile of held-out reviews under its rule; None where it was trained without one."""
        likeliest = self.manifest.rule == "likeliest"
        path = self.folder / (REFERENCE_OF_LIKELIEST if likeliest else REFERENCE)
        return path if path.is_file() else None

    @property
    def is_checkpoint(self) -> bool:
        """Whether the folder holds all weights, so that no base is needed beside it."""
        return CHECKPOINT in self.manifest.files

    def base(self) -> Base:
        """The verified base that the weights in this folder are for.

        Raises:
            BaseModelError: it is missing or is another one.
        """
        if self.resolved:
            return self.resolved
        if self.is_checkpoint:
            return Base(folder=self.folder, **asdict(self.manifest.base))
        # A base given as a folder is in the recipe as its path.
        path = self.manifest.recipe.get("base", {}).get("name")
        return resolve_base(self.manifest.base.name, expected=self.manifest.base, path=path)

    @property
    def quantises(self) -> bool:
        """Whether it has the ranges that products in int8 need."""
        return RANGES in self.manifest.files

    def verify(self) -> int:
        """Check every file against the manifest, once for this object, and return their number.

        Raises:
            AdapterError: a file is missing or was changed.
        """
        return self._whole_files

    @cached_property
    def _whole_files(self) -> int:
        for name, expected in self.manifest.files.items():
            path = self.folder / name
            if not path.is_file():
                raise AdapterError(f"adapter {self.manifest.name}: {path} is missing")
            if file_sha256(path) != expected:
                raise AdapterError(
                    f"adapter {self.manifest.name}: {path} was changed since it was trained "
                    "(its SHA-256 is not the manifest's); restore it or train again"
                )
        return len(self.manifest.files)

    def load(self, compute: Compute, base: Base | None = None) -> Loaded:
        """All that scores, verified, on the device.

        Raises:
            AdapterError, BaseModelError: a file does not fit its hash or its base.
        """
        self.verify()
        classifier = self.classifier(base)
        return Loaded(classifier, self.model(classifier, compute), self.lexical())

    def classifier(self, base: Base | None = None) -> Classifier:
        """How the base reads reviews, and how its model is built; no weights yet.

        Raises:
            BaseModelError: the base is missing, is another one, or cannot be read.
        """
        from drugmon.models.classifiers.factory import make_classifier

        return make_classifier(base or self.base(), self.manifest.max_length, self.manifest.prompt)

    def model(self, classifier: Classifier, compute: Compute) -> ClassifierModel:
        """The model that scores: LoRA merged in float32, then cast, on the device.

        Raises:
            AdapterError, BaseModelError: the weights do not fit their base.
        """
        from drugmon.models.kernels.ranges import load_ranges

        ranges = load_ranges(self.folder) if compute.int8 else None
        backbone = classifier.load_for_scoring(compute, self._merge, ranges)
        return self._with_heads(classifier, backbone).to(compute.device)

    def plain_model(self, classifier: Classifier) -> ClassifierModel:
        """The same model as transformers has it, in float32 on the CPU: gradients go through it.

        Raises:
            AdapterError, BaseModelError: the weights do not fit their base.
        """
        backbone = classifier.load_backbone()
        self._merge(backbone)
        return self._with_heads(classifier, backbone)

    def _with_heads(self, classifier: Classifier, backbone: nn.Module) -> ClassifierModel:
        from safetensors.torch import load_model

        model = classifier.model(backbone, self.manifest.levels)
        if HEADS in self.manifest.files:
            # They are tiny and read by softmax: float32 costs nothing there.
            load_model(model.heads, str(self.folder / HEADS))
        return model.eval().requires_grad_(False)

    @property
    def card(self) -> str:
        """The model card, Markdown; empty where there is none."""
        path = self.folder / CARD
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def write_card(self, card: str) -> None:
        """Replace the card. What decides verdicts stays as it is, and so does the digest.

        What is killed in between leaves an adapter that is whole, with a card that is in no list of
        its files.

        Raises:
            AdapterError: the manifest cannot be read.
            SinkError: the folder cannot be written.
        """
        manifest = read_manifest(self.folder)  # under the rule of its file
        others = {name: digest for name, digest in manifest.files.items() if name != CARD}
        with_files(manifest, others).write(self.folder)
        with replacing(self.folder / CARD) as temporary:
            temporary.write_text(card, encoding="utf-8")
        sealed = {**others, CARD: file_sha256(self.folder / CARD)}
        with_files(manifest, dict(sorted(sealed.items()))).write(self.folder)

    def lexical(self) -> LexicalModel | None:
        """The lexical model, where there is one.

        Raises:
            AdapterError: its file holds something else.
        """
        from drugmon.models.classifiers.lexical import LexicalModel

        return LexicalModel.load(self.folder) if LEXICON in self.manifest.files else None

    def _merge(self, backbone: nn.Module) -> None:
        """Add LoRA to the weights, where this is no checkpoint and no base by itself."""
        from drugmon.models.adapters.lora import merge_lora

        if LORA_CONFIG in self.manifest.files:
            merge_lora(backbone, self.folder)


@dataclass(frozen=True)
class Loaded:
    """An adapter in memory; `lexical` is None where it has no lexical model."""

    classifier: Classifier
    model: ClassifierModel
    lexical: LexicalModel | None


def open_adapter(name: str) -> Adapter:
    """Find an adapter by path, or by name in ./adapters and among those shipped with drugmon.

    Raises:
        AdapterError: there is none; the message lists those there are.
    """
    for folder in (Path(name), *(place / name for place in _places())):
        if (folder / MANIFEST).is_file():
            return Adapter(folder, read_manifest(folder))
    if Path(name).is_dir():
        raise AdapterError(f"{name} is no adapter: it has no {MANIFEST}")
    installed = ", ".join(sorted(adapter_folders())) or "none"
    raise AdapterError(
        f"no adapter {name!r}: name a folder that `drugmon train` wrote, or one of: {installed}"
    )


@dataclass(frozen=True)
class Unreadable:
    """A folder whose manifest cannot be read, and why."""

    folder: Path
    reason: str


def list_adapters() -> list[Adapter | Unreadable]:
    """The adapters in ./adapters and those shipped with drugmon, by name, without their weights."""
    return [_look(folder) for _, folder in sorted(adapter_folders().items())]


def _look(folder: Path) -> Adapter | Unreadable:
    try:
        return Adapter(folder, read_manifest(folder))
    except AdapterError as error:
        return Unreadable(folder, str(error))


def adapter_folders() -> dict[str, Path]:
    """The folders in ./adapters and of drugmon itself that have a manifest, by their names."""
    folders: dict[str, Path] = {}
    for place in _places():
        for path in place.glob(f"*/{MANIFEST}"):
            folders.setdefault(path.parent.name, path.parent)
    return folders


def folder_digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file in an adapter folder but the manifest, which names them."""
    return {
        path.name: file_sha256(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MANIFEST
    }


def _places() -> list[Path]:
    places = [Path("adapters"), *_SHIPPED]
    return list({place.resolve(): place for place in places if place.is_dir()}.values())
