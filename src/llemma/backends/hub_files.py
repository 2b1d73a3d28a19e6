"""The files of a model of the Hugging Face Hub: a folder of the user's, or one fetched into the hub's own cache.

Weights are read from safetensors alone. A pickled checkpoint is a program that runs when it is loaded.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

from llemma.core.errors import DataError, LlemmaError, MissingError
from llemma.core.files import digest, file_digest
from llemma.model import weights

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "model-*.safetensors")
SETTINGS = ("config.json", "generation_config.json", "chat_template.jinja")
TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "spiece.model")
CONVERT = (
    'AutoModelForCausalLM.from_pretrained("{name}", use_safetensors=False).save_pretrained("FOLDER") on a machine that '
    "has nothing to lose, and the tokenizer's files beside it; the hub's own conversion, where there is one, is a pull "
    "request: hf:{name}@refs/pr/N"
)


def find(name: str, revision: str, code: bool) -> tuple[Path, str]:
    """The folder of model `name`, and what names its content. `code` fetches Python files, too.

    Raises `MissingError` for what is not there or cannot be reached, `DataError` for weights that are not safetensors.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path, _checked(path, name)
    if name.startswith((".", "/", "~")):
        raise MissingError(f"no folder '{name}'", where=f"hf:{name}", mend="check the path after 'hf:'")
    folder = _fetch(name, revision, code)
    _checked(folder, name, read=False)
    return folder, f"{name}@{folder.name}"  # the hub's cache names a snapshot by its commit


def _checked(folder: Path, name: str, *, read: bool = True) -> str:
    if not (folder / "config.json").is_file():
        raise MissingError(
            f"no model in '{name}'", where="config.json", mend="give a folder as save_pretrained writes it"
        )
    if not any(folder.glob("model*.safetensors")):
        pickled = [file.name for pattern in ("*.bin", "*.pt", "*.pth") for file in folder.glob(pattern)]
        raise DataError(
            f"'{name}' has no safetensors weights" + (", only pickled ones, which are programs" if pickled else ""),
            where=", ".join(sorted(pickled)[:3]) or "model.safetensors",
            mend=CONVERT.format(name=name),
        )
    if not read:
        return ""
    small = [file for file in SETTINGS[1:] if (folder / file).is_file()]
    return digest(weights.identity(folder), [(file, file_digest(folder / file)) for file in small])


def _fetch(name: str, revision: str, code: bool) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(
            snapshot_download(
                name,
                revision=revision or None,
                endpoint=os.environ.get("HF_ENDPOINT") or None,
                allow_patterns=[*WEIGHTS, *SETTINGS, *TOKENIZER, *(["*.py"] if code else [])],
                ignore_patterns=["*/*"],
            )
        )
    except Exception as error:
        _explain(error, name, revision)


def _explain(error: Exception, name: str, revision: str) -> NoReturn:
    """The hub's error in our words."""
    from huggingface_hub import errors

    where = f"hf:{name}{'@' if revision else ''}{revision}"
    hub = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    kinds: list[tuple[type[Exception], str, str]] = [
        (errors.GatedRepoError, f"'{name}' is gated", "accept its terms on its page, then `hf auth login`"),
        (errors.RepositoryNotFoundError, f"no model '{name}' at {hub}", "check the name; private ones want HF_TOKEN"),
        (errors.RevisionNotFoundError, f"'{name}' has no revision '{revision}'", "name a branch, tag or commit"),
        (errors.HFValidationError, f"'{name}' is no name of a model", "write hf:OWNER/NAME or hf:./FOLDER"),
        (OSError, f"cannot fetch '{name}' from {hub}", "check the network and HF_ENDPOINT, or give a local folder"),
    ]
    for kind, what, mend in kinds:
        if isinstance(error, kind) or (kind is OSError and "http" in type(error).__module__):
            raise MissingError(
                f"{what}: {_cause(error)}" if kind is OSError else what, where=where, mend=mend
            ) from error
    raise LlemmaError(f"cannot fetch '{name}': {error}", where=where) from error


def _cause(error: BaseException) -> str:
    """The first line of the deepest reason."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).splitlines() or [type(error).__name__])[0]
