"""The adapter folder: finding it, verifying it, and making the model that scores from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from drugmon.errors import AdapterError
from drugmon.models.bases import Base, file_sha256, resolve_base
from drugmon.models.manifest import MANIFEST, Manifest, read_manifest

if TYPE_CHECKING:
    from drugmon.models.device import Compute
    from drugmon.models.encoder import Encoder, EncoderModel

DEFAULT_ADAPTER: Final = "minilm-druglib"
HEADS: Final = "heads.safetensors"
REFERENCE: Final = "reference.json"
CARD: Final = "README.md"
_PACKAGE: Final = Path(__file__).resolve().parents[1]
_SHIPPED: Final = (_PACKAGE / "_adapters", _PACKAGE.parent / "adapters")  # in a wheel, in a checkout


@dataclass(frozen=True)
class Adapter:
    """An adapter folder whose manifest has been read."""

    folder: Path
    manifest: Manifest

    def base(self) -> Base:
        """The verified base of this adapter.

        Raises:
            BaseModelError: it is missing or is another one.
        """
        name = self.manifest.base["name"]
        return resolve_base(name, expected=self.manifest.base)

    def verify(self) -> None:
        """Check every file against the manifest.

        Raises:
            AdapterError: a file is missing or was changed.
        """
        for name, expected in self.manifest.files.items():
            path = self.folder / name
            if not path.is_file():
                raise AdapterError(f"adapter {self.manifest.name}: {path} is missing")
            if file_sha256(path) != expected:
                raise AdapterError(
                    f"adapter {self.manifest.name}: {path} was changed since it was trained "
                    "(its SHA-256 is not the manifest's); restore it or train again"
                )

    def load(self, compute: Compute, base: Base | None = None) -> tuple[Encoder, EncoderModel]:
        """The encoder and the model that scores: LoRA merged in float32, then cast, on the device.

        Raises:
            AdapterError, BaseModelError: a file does not fit its hash or its base.
        """
        from safetensors.torch import load_model

        from drugmon.models.encoder import Encoder, EncoderModel
        from drugmon.models.lora import merge_lora

        self.verify()
        encoder = Encoder(base or self.base(), self.manifest.max_length)
        backbone = encoder.load_backbone()
        merge_lora(backbone, self.folder)
        model = EncoderModel(backbone, encoder.hidden, self.manifest.levels)
        load_model(model.heads, str(self.folder / HEADS))
        # The heads are tiny and read by softmax: float32 costs nothing there.
        model.backbone.to(dtype=compute.dtype)
        return encoder, model.to(compute.device).eval().requires_grad_(False)


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
    known = ", ".join(adapter.folder.name for adapter in list_adapters()) or "none"
    raise AdapterError(
        f"no adapter {name!r}: name a folder that `drugmon train` wrote, or one of: {known}"
    )


def list_adapters() -> list[Adapter]:
    """The adapters in ./adapters and those shipped with drugmon, by name, without loading weights."""
    found: dict[str, Adapter] = {}
    for place in _places():
        for path in sorted(place.glob(f"*/{MANIFEST}")):
            found.setdefault(path.parent.name, Adapter(path.parent, read_manifest(path.parent)))
    return [found[name] for name in sorted(found)]


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
