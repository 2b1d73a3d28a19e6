import msgspec
import pytest

from llemma.evals.config import EvalConfig


def read(**section):
    return msgspec.convert(section, EvalConfig)


def test_the_defaults_are_greedy_alone_on_all_problems():
    config = read()
    assert (config.k, config.limit, config.shots, config.perplexity) == (1, None, None, True)


def test_subsets_may_be_named():
    assert read(perplexity=["arxiv"]).perplexity == ["arxiv"]
    assert read(perplexity=False).perplexity is False


@pytest.mark.parametrize(
    "section",
    [{"k": 0}, {"limit": 0}, {"temperature": 0.0}, {"top_p": 1.5}, {"shots": -1}, {"max_errors": 2.0}, {"shot": 4}],
)
def test_settings_without_sense_are_refused(section):
    with pytest.raises(msgspec.ValidationError):
        read(**section)
