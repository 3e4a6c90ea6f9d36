"""Recipes: named training configurations in TOML, checked key by key when they are loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

from drugmon.checked import check_keys, checked, one_of, optional, parse_toml, within
from drugmon.config import DEFAULT_RULE, RULES
from drugmon.errors import RecipeError
from drugmon.grading import Grading, GradingChoice
from drugmon.labels import LABELS, TARGETS
from drugmon.models.bases.folders import absolute_name
from drugmon.models.tokens.prompts import PROMPT
from drugmon.training.settings import put_setting
from drugmon.training.sources import TARGET, Source, grading_of, make_sources
from drugmon.training.teacher import TeacherSection

PACKAGED: Final = Path(__file__).parent / "recipes"
STRATEGIES: Final = ("none", "weights", "oversample", "downsample", "resample")
METHODS: Final = ("lora", "full")
AUGMENTATIONS: Final = ("none", "mask", "paraphrase")


@dataclass(frozen=True)
class BaseSection:
    """The pretrained model: a name, a folder or a hub id."""

    name: str = "minilm"


@dataclass(frozen=True)
class Rating:
    """The scale of the ratings, such as "1-5"; "" for 1-10 unless the ratings look otherwise."""

    scale: str = optional()


@dataclass(frozen=True)
class Lora:
    """The adapter's rank, scale (alpha / r), dropout, and the layers that it changes.

    `target_modules` has the names of linear layers, or just "auto": all that a review goes through.
    With `blocks` only those in so many of the uppermost blocks of the base are changed (0: in all),
    which saves the gradients of the blocks below. `bias` gives each layer a trained bias as well.
    """

    r: int = within(16, 1, 512)
    alpha: int = within(32, 1, 2048)
    dropout: float = within(0.05, 0, 0.9)
    target_modules: tuple[str, ...] = ("auto",)
    blocks: int = within(0, 0, 1000)
    bias: bool = False


@dataclass(frozen=True)
class ModelSection:
    """Tokens a review may take (special ones included), and the dropout before the heads.

    A seq2seq base has no heads; it reads `prompt`, with the text where `{text}` stands.
    """

    max_length: int = within(256, 8, 8192)
    head_dropout: float = within(0.1, 0, 0.9)
    prompt: str = PROMPT


@dataclass(frozen=True)
class Lexical:
    """The n-gram model beside the encoder: n-grams of `min_df` reviews or more, penalty 1/c."""

    enabled: bool = True
    min_df: int = within(3, 1, 10**6)
    c: float = within(4.0, 1e-6, 1e6)


@dataclass(frozen=True)
class Train:
    """The loop: `warmup` is a share of all steps, `patience` counts epochs without a better dev.

    A batch goes through the model in parts of at most `micro_tokens` tokens (0: by the device).
    `gradient_checkpointing` computes activations twice instead of keeping them.

    `method`: LoRA beside frozen weights, or full fine-tuning of all of them.
    """

    method: str = one_of("lora", METHODS)
    epochs: int = within(4, 1, 1000)
    batch_size: int = within(16, 1, 4096)
    learning_rate: float = within(5e-4, 0, 1)
    head_learning_rate: float = within(2e-3, 0, 1)
    weight_decay: float = within(0.01, 0, 1)
    warmup: float = within(0.06, 0, 1)
    max_grad_norm: float = within(1.0, 1e-6, 1e6)
    patience: int = within(2, 1, 1000)
    micro_tokens: int = within(0, 0, 10**9)
    gradient_checkpointing: bool = False
    seed: int = within(0, 0, 2**31 - 1)


@dataclass(frozen=True)
class Loss:
    """Weights of the two losses (levels, labels) and of each target in the sum.

    A target of weight 0 is not learned and does not help to choose the epoch.
    `focal_gamma` and `logit_adjustment` shape the loss of labels for rare ones: `label_loss`.
    """

    level_weight: float = within(0.5, 0, 100)
    label_weight: float = within(1.0, 0, 100)
    focal_gamma: float = within(0.0, 0, 10)
    logit_adjustment: float = within(0.0, 0, 10)
    benefits: float = within(1.0, 0, 100)
    side_effects: float = within(1.0, 0, 100)
    comments: float = within(1.0, 0, 100)
    overall: float = within(1.0, 0, 100)

    def of_target(self, target: str) -> float:
        """Return the weight of `target`'s loss."""
        return float(getattr(self, target))


@dataclass(frozen=True)
class BalanceSection:
    """How rare labels are made up for; `per_class` 0 means the largest (smallest) class's size.

    `resample` repeats and leaves out rows until every label has `per_class` (0: the mean size).
    """

    strategy: str = one_of("none", STRATEGIES)
    per_class: int = within(0, 0, 10**9)


@dataclass(frozen=True)
class Augment:
    """Varied copies of training reviews of `labels`, until each of these has `per_class` reviews.

    `per_class` 0 means the size of the largest class. `mask` hides `mask_share` of the words that
    carry sentiment; `paraphrase` has a seq2seq base reword the texts, sampling at `temperature`.
    """

    method: str = one_of("none", AUGMENTATIONS)
    labels: tuple[str, ...] = ("neutral",)
    per_class: int = within(0, 0, 10**9)
    mask_share: float = within(0.5, 0.01, 1)
    temperature: float = within(1.0, 0.1, 5)


@dataclass(frozen=True)
class SplitSection:
    """Which reviews are held out, to choose the epoch, to calibrate and to measure.

    With `folds` 0 the shares `dev`, which chooses the epoch, and `test`, which is only measured;
    with `refit`, what is kept was trained again on all reviews, else it never saw test. With
    `folds` K >= 2 each review is held out once by one of K models; one more learns from all.
    """

    dev: float = within(0.1, 0.001, 0.5)
    test: float = within(0.1, 0, 0.5)
    refit: bool = False
    folds: int = within(0, 0, 50)


@dataclass(frozen=True)
class Decision:
    """What decides labels where nobody asks for a rule; the adapter carries both."""

    rule: str = one_of(DEFAULT_RULE, RULES)


@dataclass(frozen=True)
class Help:
    """How sources of role `help` are learned from; without such a source nothing of it counts.

    `epochs` are those of a first stage on all of them, at the two rates and once for all folds: the
    trainings on target reviews begin where it ends. In these, every epoch takes a share `replay` of
    the help reviews beside the target's, another part each time, their loss multiplied by
    `replay_weight`. `lexical` tells whether the n-gram model learns from them as well.
    """

    epochs: int = within(0, 0, 1000)
    learning_rate: float = within(1e-3, 0, 1)
    head_learning_rate: float = within(2e-3, 0, 1)
    replay: float = within(1.0, 0, 1)
    replay_weight: float = within(1.0, 0, 100)
    lexical: bool = False


@dataclass(frozen=True)
class Recipe:
    """A whole training configuration; `grading` is the complete label of every level.

    `sources` are the reviews to learn from, where the command line names none.
    """

    name: str
    description: str = ""
    base: BaseSection = field(default_factory=BaseSection)
    lora: Lora = field(default_factory=Lora)
    model: ModelSection = field(default_factory=ModelSection)
    lexical: Lexical = field(default_factory=Lexical)
    train: Train = field(default_factory=Train)
    loss: Loss = field(default_factory=Loss)
    balance: BalanceSection = field(default_factory=BalanceSection)
    augment: Augment = field(default_factory=Augment)
    split: SplitSection = field(default_factory=SplitSection)
    help: Help = field(default_factory=Help)
    teacher: TeacherSection = field(default_factory=TeacherSection)
    rating: Rating = field(default_factory=Rating)
    decision: Decision = field(default_factory=Decision)
    grading: Grading = field(default_factory=Grading)
    sources: tuple[Source, ...] = ()

    def for_help(self) -> Recipe:
        """The same for the first stage, on help reviews."""
        of_stage = {
            name: getattr(self.help, name)
            for name in ("epochs", "learning_rate", "head_learning_rate")
        }
        return replace(self, train=replace(self.train, **of_stage))

    def graded_by(self, choice: GradingChoice) -> Recipe:
        """Return the recipe with what `choice` says of the graded columns."""
        scale = choice.rating_scale or self.rating.scale
        return replace(self, rating=Rating(scale), grading=choice.over(self.grading))

    @property
    def target_grading(self) -> Grading:
        """What the graded columns of the first target source mean; of the recipe without one."""
        targets = (source.grading for source in self.sources if source.role == TARGET)
        return next(targets, self.grading)

    def to_dict(self) -> dict[str, object]:
        """Return plain nested dicts, lists, texts and numbers, as JSON and TOML can hold."""
        whole = {**asdict(self), "labels": self.grading.to_dict()}
        whole["source"] = [source.to_dict() for source in self.sources]
        del whole["grading"], whole["sources"]
        whole["lora"]["target_modules"] = list(self.lora.target_modules)
        whole["augment"]["labels"] = list(self.augment.labels)
        # Where this machine has them is nobody's business.
        whole["teacher"]["adapters"] = [Path(name).name for name in self.teacher.adapters]
        return whole

    def decides_weights(self) -> dict[str, object]:
        """Return what of `to_dict` changes the weights that rows of reviews give a base.

        Which adapters teach is told by their identities, whatever they are called here.
        """
        decides = {k: v for k, v in self.to_dict().items() if k not in _BESIDE_WEIGHTS}
        if self.teacher.adapters:
            heeded = {"weight": self.teacher.weight, "temperature": self.teacher.temperature}
            decides["teacher"] = heeded
        return decides


_BESIDE_WEIGHTS: Final = ("name", "description", "lexical", "split", "decision", "teacher")
_SECTIONS: Final[Mapping[str, Any]] = {
    spec.name: spec.default_factory for spec in fields(Recipe)[2:-2]
}


def list_recipes() -> tuple[str, ...]:
    """Return the names of the packaged recipes, sorted."""
    return tuple(sorted(path.stem for path in PACKAGED.glob("*.toml")))


def recipe_path(name_or_path: str) -> Path:
    """Return the file of a packaged recipe, or the path itself where it ends in `.toml`.

    Raises:
        RecipeError: no packaged recipe has that name, or the file is not there.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        if not path.is_file():
            raise RecipeError(f"recipe file {path} is not there; check the path")
        return path
    if name_or_path not in list_recipes():
        recipes = ", ".join(list_recipes())
        raise RecipeError(
            f"no recipe {name_or_path!r}; take {recipes}, or the path of a .toml file"
        )
    return PACKAGED / f"{name_or_path}.toml"


def load_recipe(name_or_path: str, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe and put `settings` ("lora.r=32", values as in TOML) over it.

    Raises:
        RecipeError: unknown recipe, key or value type, a value out of its range, or broken TOML.
    """
    path = recipe_path(name_or_path)
    values = parse_toml(path.read_bytes(), f"recipe {path}", RecipeError)
    for setting in settings:
        put_setting(values, setting)
    recipe = make_recipe(path.stem, values, f"recipe {path.stem}", path.parent)
    # What was a path for this run has to be one for the next, wherever that is started.
    return replace(recipe, base=BaseSection(absolute_name(recipe.base.name)))


def make_recipe(
    name: str, values: Mapping[str, Any], where: str, folder: Path | None = None
) -> Recipe:
    """Check `values` (a parsed TOML file) and return the recipe.

    Args:
        name: the recipe's.
        values: its keys.
        where: begins every message.
        folder: what the paths of sources are relative to; None leaves them.

    Raises:
        RecipeError: as `load_recipe`.
    """
    check_keys(values, ("description", *_SECTIONS, "labels", "source"), where, RecipeError)
    sections = {
        key: checked(kind, values.get(key, {}), f"{where}: {key}", RecipeError)
        for key, kind in _SECTIONS.items()
    }
    recipe = Recipe(
        name,
        str(values.get("description", "")),
        grading=grading_of(sections["rating"].scale, values.get("labels", {}), where),
        sources=make_sources(values.get("source", []), where, folder),
        **sections,
    )
    if recipe.loss.level_weight == recipe.loss.label_weight == 0:
        raise RecipeError(f"{where}: loss.level_weight and loss.label_weight are both 0; raise one")
    if not any(map(recipe.loss.of_target, TARGETS)):
        raise RecipeError(f"{where}: loss gives every target the weight 0; raise one")
    if recipe.split.folds == 1:
        raise RecipeError(f"{where}: split.folds is 1; give 2 or more, or 0 for dev and test")
    if unknown := [label for label in recipe.augment.labels if label not in LABELS]:
        raise RecipeError(
            f"{where}: augment.labels has {unknown[0]!r}; give labels of {', '.join(LABELS)}"
        )
    return recipe


def recorded_recipe(record: Mapping[str, object], where: str) -> Recipe:
    """Return the recipe that `to_dict` gave, today or in an earlier version.

    Raises:
        RecipeError: it is none.
    """
    return make_recipe(str(record["name"]), {k: v for k, v in record.items() if k != "name"}, where)
