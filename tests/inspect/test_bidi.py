import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from stream_rnn.inspect.bidi import joined, visual

PIECES = ["abc", "A1", "שלום", "مرحبا", "قَلْبٌ", "12", "3.5", "10%", " ", "(", ")", ",", "-", "夜"]


def seen(text: str) -> str:
    """A line's letters from left to right as they are drawn, each form as its plain letter."""
    return unicodedata.normalize("NFKC", "".join(visual(text).letters))


def test_lines_run_from_the_side_of_their_first_letter() -> None:
    assert seen("abc (d) 12") == "abc (d) 12"
    assert seen("שלום") == "םולש"
    assert seen("a שלום b") == "a םולש b"
    assert seen("שלום abc def!") == "!abc def םולש"
    assert seen("مرحبا 123, 45%") == "%45 ,123 ابحرم"
    assert seen("שלום 45% -3.5") == "3.5- 45% םולש"  # %, a sign of a number, goes with it
    assert seen("a שלום ") == "a םולש "
    assert [visual(t).from_right for t in ("a ש", "12 ש a", "", "!")] == [False, True, False, False]
    # The next line of a paragraph has the paragraph's direction.
    assert visual("abc!", from_right=True) == ((3, 0, 1, 2), tuple("!abc"), True)
    assert visual("ש!", from_right=False).order == (0, 1)


def test_brackets_are_turned_with_what_they_hold() -> None:
    assert seen("(שלום) [a]") == "[a] (םולש)"
    assert seen("שלום (a) ב") == "ב (a) םולש"
    assert seen("a (ש)") == "a (ש)"
    assert seen("as שלום (مرحبا)") == "as (ابحرم) םולש"
    assert seen("a ש (b [ג) c]") == "a ש (b [ג) c]"
    assert seen("«a»") == "«a»" and seen("«ש»") == "«ש»"


def test_letters_of_arabic_join_their_neighbours() -> None:
    forms = [unicodedata.decomposition(c).partition(">")[0][1:] for c in joined("سلام قلب")]
    assert forms == ["initial", "medial", "final", "isolated", "", "initial", "medial", "final"]
    # A mark does not separate two letters; a letter that does not join on its left does.
    assert [unicodedata.decomposition(c)[1:4] for c in joined("بَب دب")] == [
        "ini", "", "fin", "", "iso", "iso",
    ]  # fmt: skip
    assert joined("abc שלום") == list("abc שלום")


@given(st.lists(st.sampled_from(PIECES) | st.characters(), max_size=12).map("".join))
def test_every_letter_has_one_place(text: str) -> None:
    line = visual(text)
    assert sorted(line.order) == list(range(len(text)))
    assert len(line.letters) == len(text)
    for place, letter in zip(line.order, line.letters, strict=True):
        plain = unicodedata.normalize("NFKC", letter)
        assert text[place] in "()[]{}<>«»‹›" or plain == unicodedata.normalize("NFKC", text[place])
