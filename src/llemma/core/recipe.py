"""Recipes: TOML read strictly into frozen records.

    base = "mini"            inherit another recipe, once
    plugins = ["mine.py"]    run these files first; they may register sources, steps, tasks ...

The schema is a `msgspec.Struct`; every key that is unknown or of the wrong type is reported, all at once, with its
place and a suggestion. Precedence: `--set` > recipe > base > default; `Recipe.origin` remembers which one won.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from llemma.core.errors import MissingError, RecipeError, suggest
from llemma.core.files import digest

T = TypeVar("T")
_SIZES = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


class Count(int):
    """A whole number that a recipe may also write as `"4k"`, `"10m"`, `"55B"`."""


class Recipe(msgspec.Struct, Generic[T], frozen=True):
    """A resolved recipe: the typed `value`, the plain `table` behind it, and the `origin` of every key that was set."""

    name: str
    value: T
    table: dict[str, Any]
    origin: dict[str, str]
    path: Path

    @property
    def digest(self) -> str:
        """16 hex characters that name the resolved recipe."""
        return digest(self.value)


def recipe_folders() -> list[Path]:
    """Where recipes are looked for by name: the working directory's `recipes/`, then the toolkit's own."""
    package = Path(__file__).parents[1]
    own = package / "recipes"
    return [
        folder
        for folder in (Path("recipes"), own if own.is_dir() else package.parents[1] / "recipes")
        if folder.is_dir()
    ]


def recipe_names() -> list[str]:
    """Names of all recipes that `find_recipe` knows."""
    return sorted({path.stem for folder in recipe_folders() for path in folder.glob("*.toml")})


def find_recipe(name: str) -> Path:
    """The file of a recipe given by path or by name."""
    if Path(name).suffix == ".toml" or "/" in name:
        if Path(name).is_file():
            return Path(name)
        raise MissingError(f"no recipe file {name}", mend=f"check the path, or use a name: {', '.join(recipe_names())}")
    for folder in recipe_folders():
        if (folder / f"{name}.toml").is_file():
            return folder / f"{name}.toml"
    hint = suggest(name, recipe_names())
    raise MissingError(f"no recipe '{name}'", mend=f"{hint} known recipes: {', '.join(recipe_names())}".strip())


def load(name: str, schema: type[T], sets: Sequence[str] = ()) -> Recipe[T]:
    """Read the recipe `name` (name or path) with its base and the `--set` overrides `a.b=value`."""
    path = find_recipe(name)
    layers = [*_layers(path), *(_parse_set(item) for item in sets)]
    table: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for label, layer in layers:
        _merge(table, layer, label, origin)
    problems: list[str] = []
    _check(table, schema, "", problems, lambda key: _place(key, origin))
    if problems:
        raise RecipeError(
            f"{len(problems)} key{'s' if len(problems) > 1 else ''} refused:\n  " + "\n  ".join(problems),
            where=str(path),
            mend=f"`llemma recipe show {path.stem}` prints every key with its value",
        )
    value = msgspec.convert(table, schema, dec_hook=_decode)
    return Recipe(name=path.stem, value=value, table=table, origin=origin, path=path)


def _layers(path: Path) -> list[tuple[str, dict[str, Any]]]:
    table = _read(path)
    base = table.pop("base", None)
    if base is None:
        return [(str(path), table)]
    below = path.parent / f"{base}.toml"
    base_path = below if below.is_file() else find_recipe(str(base))
    base_table = _read(base_path)
    if "base" in base_table:
        raise RecipeError(
            f"recipe '{base}' has a base of its own", where=str(path), mend="inherit from a recipe that is complete"
        )
    return [(str(base_path), base_table), (str(path), table)]


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"not valid TOML: {error}", where=str(path), mend="correct the line it names") from error
    except OSError as error:
        raise MissingError(f"cannot read the recipe: {error.strerror}", where=str(path)) from error
    return {key: _anchor(value, path.parent) for key, value in table.items()}


def _anchor(value: Any, folder: Path) -> Any:
    """Make `recipe:` paths absolute, so that a recipe names files that lie beside it."""
    if isinstance(value, str) and value.startswith("recipe:"):
        return str((folder / value.removeprefix("recipe:")).resolve())
    if isinstance(value, list):
        return [_anchor(item, folder) for item in value]
    return {key: _anchor(item, folder) for key, item in value.items()} if isinstance(value, dict) else value


def _parse_set(item: str) -> tuple[str, dict[str, Any]]:
    key, equals, text = item.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"cannot read --set {item!r}", mend="write --set section.key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text  # a bare word is a string
    table: dict[str, Any] = {}
    inner = table
    *parents, last = _split_key(key.strip())
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    return "--set", table


def _split_key(key: str) -> list[str]:
    return [part.strip('"') for part in re.findall(r'"[^"]*"|[^.]+', key)]


def _merge(into: dict[str, Any], layer: dict[str, Any], label: str, origin: dict[str, str], prefix: str = "") -> None:
    for key, value in layer.items():
        path = f"{prefix}{key}"
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, label, origin, f"{path}.")
        else:
            into[key] = value
            origin.update(dict.fromkeys(_leaves(value, path), label))


def _leaves(value: Any, path: str) -> Iterator[str]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}")


def _place(key: str, origin: dict[str, str]) -> str:
    """` (file line 12)` for a key, as far as it can be told."""
    label = origin.get(key, "")
    if label in ("", "--set"):
        return f" ({label})" if label else ""
    line = _line_of(key, Path(label).read_text("utf-8"))
    return f" ({Path(label).name} line {line})" if line else f" ({Path(label).name})"


def _line_of(key: str, text: str) -> int:
    """The 1-based line on which a dotted key is set; 0 when the layout hides it (inline tables)."""
    section: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.split("#", 1)[0].strip()
        if stripped.startswith("[") and stripped.endswith("]"):
            section = _split_key(stripped.strip("[]").strip())
            if section == _split_key(key):
                return number
        elif "=" in stripped and [*section, *_split_key(stripped.split("=", 1)[0].strip())] == _split_key(key):
            return number
    return 0


def _check(value: Any, kind: Any, key: str, problems: list[str], place: Any) -> None:
    """Append a line to `problems` for every key of `value` that `kind` does not allow."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        _check_struct(value, kind, key, problems, place)
    elif get_origin(kind) is dict and isinstance(value, dict):
        for name, item in value.items():
            _check(item, get_args(kind)[1], f"{key}.{name}" if key else name, problems, place)
    elif get_origin(kind) is list and isinstance(value, list) and _is_struct(get_args(kind)[0]):
        for index, item in enumerate(value):
            _check(item, get_args(kind)[0], f"{key}[{index}]", problems, place)
    else:
        _check_leaf(value, kind, key, problems, place)


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _check_leaf(value: Any, kind: Any, key: str, problems: list[str], place: Any) -> None:
    try:
        msgspec.convert(value, kind, dec_hook=_decode)
    except (msgspec.ValidationError, ValueError) as error:
        what = str(error).removesuffix(" - at `$`")
        problems.append(f"{key}: {what}, not {value!r}{place(key)}")


def _check_struct(value: Any, kind: type[msgspec.Struct], key: str, problems: list[str], place: Any) -> None:
    if not isinstance(value, dict):
        problems.append(f"{key}: expected a table{place(key)}")
        return
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    hints = get_type_hints(kind)
    for name, item in value.items():
        path = f"{key}.{name}" if key else name
        if name in fields:
            _check(item, hints[fields[name].name], path, problems, place)
        else:
            problems.append(f"{path}: unknown key{place(path)} {suggest(name, fields)}".rstrip())
    for name, field in fields.items():
        if field.required and name not in value:
            problems.append(f"{f'{key}.' if key else ''}{name}: missing, it has no default")


def _decode(kind: type, value: Any) -> Any:
    if kind is Count:
        return parse_count(value)
    raise NotImplementedError(kind)


def parse_count(value: Any) -> Count:
    """`4096`, `"4k"`, `"2.5m"`, `"55B"` as a whole number; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("Expected a number such as 4096 or '4k'")
    match = re.fullmatch(r"\s*(\d+(?:[._]\d+)*)\s*([kmbt]?)\s*", str(value).lower())
    if match is None:
        raise ValueError("Expected a number such as 4096 or '4k'")
    return Count(round(float(match[1].replace("_", "")) * _SIZES.get(match[2], 1)))


def to_toml(value: Any) -> str:
    """A record as TOML; keys whose value is None are left out."""
    import tomli_w

    return tomli_w.dumps(_without_none(plain(value)), multiline_strings=False)


def plain(value: Any) -> Any:
    """A record as dicts, lists, strings and numbers."""
    return msgspec.to_builtins(value, enc_hook=lambda item: int(item) if isinstance(item, int) else item)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value


def difference(old: Any, new: Any, key: str = "") -> list[str]:
    """Lines `key: old -> new` for every leaf in which two plain values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        lines = []
        for name in [*old, *(name for name in new if name not in old)]:
            lines += difference(old.get(name), new.get(name), f"{key}.{name}" if key else name)
        return lines
    return [] if old == new else [f"{key}: {old!r} -> {new!r}"]
