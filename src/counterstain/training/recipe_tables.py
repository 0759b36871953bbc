"""The tables of a recipe, checked: a mistake is named by where it stands, never trained with."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, TypeAdapter, ValidationError

from counterstain.errors import InvalidInputError
from counterstain.masks.unet import DIAMETER
from counterstain.masks.unet_network import WIDTHS

__all__ = [
    "NetworkTable",
    "as_table",
    "check_keys",
    "checked_seed",
    "checked_table",
    "scale_table",
]

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class NetworkTable:
    """The table ``network``; parameters as of `counterstain.masks.unet.UNetSegmenter`."""

    channels: Annotated[tuple[str, ...], Field(min_length=1)]
    widths: tuple[PositiveInt, ...] = WIDTHS
    diameter: PositiveFloat = DIAMETER


def checked_table(
    file: Path, where: str, given: Any, kind: type[Made], *, before: Made | None = None
) -> Made:
    """Make settings of a table.

    Parameters
    ----------
    file : Path
        The recipe, for the sentence.
    where : str
        Name of the table.
    given : Any
        What stands there; must be a table.
    kind : type
        A dataclass; its ``augment`` and ``seed`` are no keys of the table.
    before : object of `kind`, optional
        What holds where the table is silent; by default the defaults of `kind`.

    Raises
    ------
    InvalidInputError
        If it is no table, or a key is unknown, missing or holds a value out of range; all of them
        at once.

    Examples
    --------
    >>> checked_table(Path("r.toml"), "network", {"channels": ["DNA"]}, NetworkTable).channels
    ('DNA',)
    >>> checked_table(Path("r.toml"), "network", {}, NetworkTable)
    Traceback (most recent call last):
    ...
    counterstain.errors.InvalidInputError: r.toml: `network.channels` is missing: add it.
    """
    table = as_table(file, where, given)
    names = {item.name for item in fields(kind)}  # type: ignore[arg-type]
    check_keys(file, where, table, names - {"augment", "seed"})
    held = {} if before is None else {name: getattr(before, name) for name in names}
    return _validated(file, where, {**held, **table}, TypeAdapter(kind))


def scale_table(file: Path, given: Any) -> dict[str, float]:
    """Read the magnifications of groups of fields; arguments and errors as of `checked_table`."""
    return _validated(
        file, "scale", as_table(file, "scale", given), TypeAdapter(dict[str, PositiveFloat])
    )


def checked_seed(file: Path, given: Any) -> int:
    """Read the seed, a whole number from 0 on; errors as of `checked_table`."""
    return _validated(file, "seed", given, TypeAdapter(NonNegativeInt))


def check_keys(file: Path, where: str, given: dict[str, Any], known: set[str]) -> None:
    """Refuse keys that nothing reads: else a slip of the pen were a silent default."""
    unknown = sorted(set(given) - known)
    if unknown:
        place = f"`{where}`" if where else "the recipe"
        raise InvalidInputError(
            f"{file}: {place} must hold keys of {sorted(known)}; got {unknown}: correct the name."
        )


def as_table(file: Path, where: str, given: Any) -> dict[str, Any]:
    """Return what stands at `where`, and refuse what is no table; as `checked_table`."""
    if not isinstance(given, dict):
        raise InvalidInputError(
            f"{file}: `{where}` must be a table; got {given!r}: write `[{where}]` on a line of its "
            "own, and its keys below."
        )
    return given


def _validated(file: Path, where: str, given: Any, kind: TypeAdapter[Made]) -> Made:
    try:
        return kind.validate_python(given)
    except ValidationError as error:
        raise InvalidInputError(
            [_sentence(file, where, item) for item in error.errors()]
        ) from error


def _sentence(file: Path, where: str, item: Any) -> str:
    place = ".".join([where, *map(str, item["loc"])])
    if item["type"] in ("missing", "missing_argument"):
        return f"{file}: `{place}` is missing: add it."
    wanted = item["msg"].removeprefix("Input should be ")
    return f"{file}: `{place}` must be {wanted}; got {item['input']!r}: correct it there."
