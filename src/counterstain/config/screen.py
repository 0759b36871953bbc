"""A whole ``screen.toml``, read and checked."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from counterstain.config.overlap import OverlapConfig
from counterstain.config.ranking import RankingConfig
from counterstain.config.sections import (
    AttributionConfig,
    AuditConfig,
    ClassRule,
    CounterfactualConfig,
    CropsConfig,
    ImagesConfig,
    LayoutConfig,
    ModelConfig,
    OracleConfig,
    QualityConfig,
    RunConfig,
    Section,
    SplitConfig,
)
from counterstain.errors import InvalidInputError, MissingFileError

__all__ = ["ScreenConfig", "read_config"]


class ScreenConfig(Section):
    """A whole ``screen.toml``."""

    images: ImagesConfig
    layout: LayoutConfig = LayoutConfig()
    classes: dict[str, ClassRule] = Field(min_length=2)
    crops: CropsConfig = CropsConfig()
    quality: QualityConfig = QualityConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    oracle: OracleConfig = OracleConfig()
    counterfactual: CounterfactualConfig = CounterfactualConfig()
    attribution: AttributionConfig = AttributionConfig()
    audit: AuditConfig = AuditConfig()
    ranking: RankingConfig = RankingConfig()
    overlap: OverlapConfig = OverlapConfig()
    run: RunConfig = RunConfig()

    @model_validator(mode="after")
    def _channels_known(self) -> ScreenConfig:
        for where, name in (
            ("crops.nucleus_channel", self.crops.nucleus_channel),
            ("oracle.channel", self.oracle.channel),
        ):
            if name is not None and name not in self.images.channels:
                raise ValueError(
                    f"`{where}` must be one of {list(self.images.channels)}; got {name!r}"
                )
        self._overlap_known()
        self._ranking_known()
        window, size = self.attribution.window, self.crops.size
        if window is not None and window > size and self.crops.kind != "fields":
            raise ValueError(
                f"`attribution.window` must be at most the crop's {size} px; got {window}"
            )
        return self

    def _overlap_known(self) -> None:
        overlap = self.overlap
        for name in overlap.channels or ():
            if name not in self.images.channels:
                raise ValueError(
                    f"`overlap.channels` must be two of {list(self.images.channels)}; got {name!r}"
                )
        if overlap.channels is not None and len(set(overlap.channels)) < 2:
            raise ValueError(
                f"`overlap.channels` must be two different channels; got {overlap.channels[0]!r} "
                "twice"
            )
        for key in ("negative", "positive"):
            name = getattr(overlap, key)
            if name is not None and name not in self.classes:
                raise ValueError(
                    f"`overlap.{key}` must be one of the classes {list(self.classes)}; got {name!r}"
                )

    def _ranking_known(self) -> None:
        for key in ("diseased", "healthy"):
            name = getattr(self.ranking, key)
            if name is not None and name not in self.classes:
                raise ValueError(
                    f"`ranking.{key}` must be one of the classes {list(self.classes)}; got {name!r}"
                )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes in the order of the file; index 0 is the first."""
        return tuple(self.classes)

    @property
    def edit_views(self) -> int:
        """Views an edit is averaged over."""
        usual = 2 if self.model.network == "iresnet50" else 4
        return self.counterfactual.views or usual

    @property
    def nucleus_index(self) -> int:
        """Index of the channel that shows nuclei."""
        name = self.crops.nucleus_channel
        return 0 if name is None else self.images.channels.index(name)


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    model: Any = ScreenConfig
    for part in location:
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return []
        model = field.annotation
    return list(getattr(model, "model_fields", {}))


def _sentence(path: Path, error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"][:-1])
        close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        remedy = f"did you mean `{close[0]}`?" if close else f"known keys: {', '.join(known)}."
        return f"{path}: `{where}` is not a key of screen.toml: {remedy}"
    if error["type"] == "missing":
        return f"{path}: `{where}` is missing: add it."
    message = error["msg"].removeprefix("Value error, ")
    got = "" if isinstance(error["input"], dict) else f"; got {error['input']!r}"
    return f"{path}: `{where or 'screen'}`: {message}{got}."


def read_config(path: Path) -> ScreenConfig:
    r"""Read and check a ``screen.toml``.

    Relative paths in the file start at the file's own folder; they are returned absolute.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ScreenConfig
        The checked configuration.

    Raises
    ------
    MissingFileError
        If there is no such file.
    InvalidInputError
        If it is not TOML, or a key is unknown, missing or has a value out of range; all problems
        of the file at once.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "screen.toml"
    >>> _ = path.write_text('[images]\npattern = "x"\nchanels = ["DNA"]\n[classes]\n')
    >>> try:
    ...     read_config(path)
    ... except InvalidInputError as error:
    ...     print(error.problems[0].removeprefix(str(path)))
    : `images.channels` is missing: add it.
    """
    if not path.is_file():
        raise MissingFileError(
            f"{path} must be a screen.toml; there is no such file: check the path."
        )
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(f"{path} must be TOML; {error}: mend that place.") from error
    try:
        config = ScreenConfig.model_validate(content)
    except ValidationError as error:
        raise InvalidInputError([_sentence(path, item) for item in error.errors()]) from error
    return _absolute(config, path.resolve().parent)


def _absolute(config: ScreenConfig, folder: Path) -> ScreenConfig:
    images, layout = config.images, config.layout
    root = (folder / images.root).resolve()
    update: dict[str, Any] = {"root": root}
    for name in ("load_data", "ome_zarr"):
        value = getattr(images, name)
        if value is not None:
            update[name] = (folder / value).resolve()
    table = None if layout.table is None else (folder / layout.table).resolve()
    return config.model_copy(
        update={
            "images": images.model_copy(update=update),
            "layout": layout.model_copy(update={"table": table}),
            "overlap": _absolute_overlap(config.overlap, folder),
        }
    )


def _absolute_overlap(overlap: OverlapConfig, folder: Path) -> OverlapConfig:
    update: dict[str, Any] = {
        name: (folder / value).resolve()
        for name in ("labels_root", "readout")
        if (value := getattr(overlap, name)) is not None
    }
    update["weights"] = tuple((folder / path).resolve() for path in overlap.weights)
    return overlap.model_copy(update=update)
