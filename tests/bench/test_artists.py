import random

from stream_rnn.bench.artists import Judge, cross_validated, features, recognised

VOICES = ("the sea the gull the tide ", "o lassie bonnie braes ", "death kindly stopped for me ")


def verse(count: int, seed: int = 1) -> tuple[list[str], list[int]]:
    dice = random.Random(seed)
    labels = [i % 3 for i in range(count)]
    texts = []
    for label in labels:
        words = VOICES[label].split() * 4
        dice.shuffle(words)
        texts.append(" ".join(words))
    return texts, labels


def test_features_are_short_strings_and_how_often_they_stand() -> None:
    assert features("Aba") == {"a": 2, "b": 1, "ab": 1, "ba": 1, "aba": 1}


def test_a_judge_knows_voices_that_it_has_not_read_in_these_words() -> None:
    judge = Judge(*verse(30), 3)
    texts, labels = verse(12, seed=2)
    assert recognised(judge, texts, labels) == (1.0, 1.0)
    assert judge.ranking("gulls and the tide")[0] == 0
    assert cross_validated(*verse(30), 3) == (1.0, 1.0)


def test_a_judge_who_heard_nothing_guesses() -> None:
    texts, _ = verse(30)
    dice = random.Random(3)
    labels = [dice.randrange(3) for _ in texts]
    first, five = cross_validated(texts, labels, 3)
    assert first < 0.8 and five == 1.0
