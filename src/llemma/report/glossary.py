"""The words of the pages that not every reader knows, each with a sentence for the reader who points at it."""

from __future__ import annotations

from markupsafe import Markup, escape

TERMS = {
    "95 % interval": "the range in which the true value lies in 95 of 100 such measurements, given how few items there "
    "were; of shares it is Wilson's, of means a bootstrap's",
    "greedy": "one answer a problem: at each step the model's most probable token",
    "majority": "k answers a problem are drawn at random, and the commonest one counts",
    "one sample": "the mean over single drawn answers: what one answer drawn at random is worth",
    "pass@k": "the share of problems of which at least one of k drawn answers is right",
    "maj@k": "the share of problems of which the commonest of k drawn answers is right",
    "bits per byte": "how many bits the model needs to say a byte of text that it has not seen; a model that expects "
    "the text needs fewer",
    "change": "the second model minus the first, with its 95 % interval; the same items are compared one by one",
    "gold": "the reference answer that a judge compares with",
    "judge": "the program that finds the answer in a text and compares it with the gold answer",
    "nats": "a unit of information, 1.44 bits; a loss of 0.69 nats a token is an even guess between two tokens",
    "loss": "how surprised the model is by the next token, in nats, on average",
    "learning rate": "how far one step moves the model's weights",
    "gradient norm": "how steep the loss is; spikes are a sign of trouble",
    "guard": "the part of training that leaves out a step, or goes back to a checkpoint, when loss or gradient jump",
    "left out": "the guard did not let this step change the model",
    "rollback": "the guard went back to an earlier checkpoint; the data in between was passed over",
    "epochs": "how often each token of a source is seen",
    "tokens": "the pieces of text that a model reads: on average three to four bytes of mathematics",
    "FLOPs": "floating-point operations: the arithmetic of training, about 6 for each parameter and token",
    "p99": "99 of 100 requests took no longer",
    "near-duplicate": "a document that shares most of its words with one that was kept",
    "n-gram": "n consecutive words",
    "hit": "a document of the corpus and a test item that share n consecutive words",
    "Fisher's p": "how often chance alone gives a table at least as uneven if hits do not matter: Fisher's exact test",
    "McNemar's p": "how often chance alone gives so uneven a split of the problems that only one of the two solved",
    "at equal level": "differences within each level of difficulty, averaged: easy problems often have more hits",
    "Jaccard": "the share of 3-word pieces that two texts have in common: 1 for equal texts",
}


def term(word: str, key: str = "") -> Markup:
    """`word` with the sentence on it (or on `key`), for the pointer and for the keyboard."""
    return Markup('<abbr tabindex="0" title="{}">{}</abbr>').format(TERMS[key or word], word)


def known(word: str) -> Markup:
    """`term` of a word that has a sentence, any other as it is."""
    return term(word) if word in TERMS else escape(word)
