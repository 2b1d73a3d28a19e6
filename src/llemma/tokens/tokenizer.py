"""Byte-level BPE: train one, load one, encode documents."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from llemma.core.console import Progress
from llemma.core.errors import DataError, MissingError
from llemma.core.files import file_digest, read_json, replacing
from llemma.tokens.config import TokenizerConfig

if TYPE_CHECKING:
    from tokenizers import Tokenizer as RustTokenizer

BOS, EOS = "<s>", "</s>"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja")


class Tokenizer:
    """A `tokenizers` tokenizer with the ids this project needs.

    `bos` opens every document (the end-of-text token where a vocabulary has no beginning), `eos` ends one.
    """

    def __init__(self, rust: RustTokenizer, path: Path) -> None:
        self.rust, self.path = rust, path
        self.vocab_size = rust.get_vocab_size()
        self.eos = _first_id(rust, (EOS, "<|endoftext|>", "<|end_of_text|>"), path)
        self.bos = _first_id(rust, (BOS, "<|begin_of_text|>", EOS, "<|endoftext|>"), path)

    @property
    def ends(self) -> frozenset[int]:
        """The ids that end a text: `eos`, and what `tokenizer_config.json` names so (in chats, the end of a turn)."""
        path = self.path.parent / "tokenizer_config.json"
        named = read_json(path, dict[str, Any]).get("eos_token") if path.is_file() else None
        named = named.get("content") if isinstance(named, dict) else named
        found = self.rust.token_to_id(named) if isinstance(named, str) else None
        return frozenset({self.eos} if found is None else {self.eos, found})

    @property
    def digest(self) -> str:
        """Names the tokenizer's content."""
        return file_digest(self.path)

    def encode(self, text: str) -> list[int]:
        """Token ids of `text`, without special tokens."""
        return self.rust.encode(text, add_special_tokens=False).ids

    def encode_documents(self, texts: list[str]) -> list[np.ndarray]:
        """Each text as ids `bos ... eos`, int64."""
        rows = self.rust.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array([self.bos, *row.ids, self.eos], dtype=np.int64) for row in rows]

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`, special tokens left out."""
        return self.rust.decode(ids, skip_special_tokens=True)


def _first_id(rust: RustTokenizer, names: tuple[str, ...], path: Path) -> int:
    for name in names:
        found = rust.token_to_id(name)
        if found is not None:
            return found
    raise DataError(f"the tokenizer has none of the tokens {', '.join(names)}", where=str(path), mend="add one of them")


def load(path: Path) -> Tokenizer:
    """The tokenizer of a folder (`tokenizer.json`) or file."""
    from tokenizers import Tokenizer as RustTokenizer

    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise MissingError(f"no tokenizer at {path}", mend="give a folder that holds tokenizer.json")
    try:
        return Tokenizer(RustTokenizer.from_file(str(file)), file)
    except Exception as error:  # the library raises bare Exception
        raise DataError(f"damaged tokenizer: {error}", where=str(file), mend="fetch or train it again") from error


def train_bpe(texts: Iterable[str], vocab_size: int, to: Path) -> None:
    """Train a byte-level BPE and write it to the folder `to` as transformers reads it.

    Digits stand alone, as in Llama's tokenizer, so that a number is the sequence of its digits.
    """
    from tokenizers import Regex, decoders, models, pre_tokenizers, processors, trainers
    from tokenizers import Tokenizer as RustTokenizer

    rust = RustTokenizer(models.BPE())
    split_digits = pre_tokenizers.Split(Regex(r"\d"), "isolated")
    rust.pre_tokenizer = pre_tokenizers.Sequence([split_digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    rust.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    rust.train_from_iterator(texts, trainer)
    # for other libraries: a text begins with the token that every document of the training began with
    beginning = [(BOS, rust.token_to_id(BOS))]
    rust.post_processor = processors.TemplateProcessing(f"{BOS} $A", f"{BOS} $A {BOS} $B", beginning)
    with replacing(to) as folder:
        folder.mkdir()
        rust.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps(_config(), indent=2) + "\n")
        (folder / "special_tokens_map.json").write_text(
            json.dumps({"bos_token": BOS, "eos_token": EOS}, indent=2) + "\n"
        )


def _config() -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": EOS,
        "clean_up_tokenization_spaces": False,
    }


def make(config: TokenizerConfig, texts: Iterable[str], to: Path, bar: Progress) -> None:
    """The tokenizer that `config` asks for, in the folder `to`: a copy of the given one, or one trained on `texts`."""
    if not config.path:
        train_bpe(bar.counted(capped(texts, config.train_bytes)), config.vocab_size, to)
        return
    copy(load(Path(config.path)), to)


def copy(tokenizer: Tokenizer, to: Path) -> None:
    """Copy a tokenizer's files to the folder `to`."""
    with replacing(to) as folder:
        folder.mkdir()
        for name in TOKENIZER_FILES:
            if (tokenizer.path.parent / name).is_file():
                shutil.copyfile(tokenizer.path.parent / name, folder / name)


def capped(texts: Iterable[str], limit: int) -> Iterator[str]:
    """Texts until `limit` characters have passed."""
    passed = 0
    for text in texts:
        if passed >= limit:
            return
        yield text
        passed += len(text)
