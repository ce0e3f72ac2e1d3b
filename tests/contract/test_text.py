"""What a name or a text may contain: real names pass, and nothing that tricks a terminal does.

Single cases with what becomes of them are in the vectors (`test_vectors`); here stand the properties, and
whole lists of names and of attacks.
"""

import re
import time
import unicodedata

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from adsum.contract.limits import ATTRIBUTES_BYTES, NAME_CODE_POINTS, STATUS_TEXT_CODE_POINTS
from adsum.contract.text import (
    COMBINING_MARKS,
    REPLACEMENT,
    clean,
    fault_in_attributes,
    fault_in_name,
    fault_in_status_text,
    normalise,
)

ZWJ = "\u200d"
EMOJI_SELECTOR = "\ufe0f"
BIDIRECTIONAL_CONTROLS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
SKIN_TONES = "\U0001f3fb-\U0001f3ff"
# Written down apart from the code: what may stand on either side of a joiner.
JOINED = re.compile(
    rf"[\u2194\u2195\u2600-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff{SKIN_TONES}]\ufe0f?"
    r"\u200d"
    r"(?=[\u2194\u2195\u2600-\u27bf\u2b00-\u2bff\U0001f300-\U0001faff])"
)

REAL_NAMES = [
    "Ada Lovelace",
    "O'Neill",
    "O\u2019Neill",
    "Jean-Luc",
    "José Ñandú",
    "Zoë",
    "Ægir Þórsson",
    "Łukasz Żółć",
    "Đorđe",
    "İbrahim Çağrı",
    "Nguyễn Thị Ánh",
    "Phạm Đức Hiếu",
    "Ọlárìndé",
    "ẹ̀bùn",
    "Ʉʉ Nizhóní ą́",
    "Ολυμπία Παπαδοπούλου",
    "Ἀριστοτέλης",
    "Владимир",
    "Андрій Її",
    "Ўткір",
    "ქეთევან",
    "Արամ Խաչատրյան",
    "נורית",
    "שָׁלוֹם",
    "רִבְקָה",
    "שֵּׁם",
    "نور الدين",
    "مُحَمَّد",
    "فاطمة",
    "پرویز",
    "محمّد إقبال",
    "ܝܘܚܢܢ",
    "އަލީ",
    "अभिषेक शर्मा",
    "श्रीकृष्ण",
    "क्षितिज",
    "ज्योत्स्ना",
    "সৌমিত্র চট্টোপাধ্যায়",
    "ਗੁਰਪ੍ਰੀਤ",
    "જ્યોતિ",
    "ଓଡ଼ିଶା",
    "ஸ்ரீநிவாசன்",
    "சுப்பிரமணியம்",
    "కృష్ణమూర్తి",
    "ಶ್ರೀನಿವಾಸ",
    "ശ്രീകുമാർ",
    "ශාන්ත",
    "สมชาย น้ำผึ้ง",
    "ปิ่นแก้ว",
    "กิ๊ก",
    "ສົມພອນ",
    "ကျော်",
    "ဖြိုး",
    "မြို့",
    "အောင်ဆန်းစုကြည်",
    "សុខា",
    "ស្រីស្រស់",
    "བསྟན་འཛིན་རྒྱ་མཚོ",
    "ᠮᠣᠩᠭᠣᠯ",
    "ꦱꦸꦏꦂꦤꦺꦴ",
    "ህይወት",
    "ⵜⴰⵎⴰⵣⵉⵖⵜ",
    "ᏣᎳᎩ",
    "ᐃᓄᒃ",
    "김철수",
    "이순신",
    "李小龙",
    "葛\U000e0100城",
    "山田太郎",
    "サトシ",
    "陳大文",
    "Αδαμ 🚀",
    "𝒜𝒹𝒶",
    "ﷺ",
]

EMOJI = {
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "skin tone": "\U0001f44d\U0001f3fd",
    "profession with a skin tone": "\U0001f469\U0001f3fd\u200d\U0001f680",
    "kiss with two skin tones": "\U0001f469\U0001f3fd\u200d\u2764\ufe0f\u200d\U0001f48b\u200d\U0001f468\U0001f3ff",
    "sign": "\U0001f9d4\U0001f3fb\u200d\u2642\ufe0f",
    "health worker": "\U0001f9d1\u200d\u2695\ufe0f",
    "judge": "\U0001f9d1\u200d\u2696\ufe0f",
    "pilot": "\U0001f9d1\u200d\u2708\ufe0f",
    "pirate": "\U0001f3f4\u200d\u2620\ufe0f",
    "transgender": "\U0001f3f3\ufe0f\u200d\u26a7\ufe0f",
    "rainbow": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "heart on fire": "\u2764\ufe0f\u200d\U0001f525",
    "polar bear": "\U0001f43b\u200d\u2744\ufe0f",
    "black cat": "\U0001f408\u200d\u2b1b",
    "head shaking": "\U0001f642\u200d\u2194\ufe0f",
    "head nodding": "\U0001f642\u200d\u2195\ufe0f",
    "to the right": "\U0001f3c3\u200d\u27a1\ufe0f",
    "broken chain": "\u26d3\ufe0f\u200d\U0001f4a5",
    "speech": "\U0001f441\ufe0f\u200d\U0001f5e8\ufe0f",
    "flag": "\U0001f1e9\U0001f1ea",
    "keycap": "1\ufe0f\u20e3",
    "text presentation": "\u2764\ufe0e",
    "information": "\u2139\ufe0f",
}

ATTACKS = {
    "red": "\x1b[31mred\x1b[0m",
    "clear screen": "\x1b[2J\x1b[H",
    "title": "\x1b]0;title\x07",
    "link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07",
    "device report": "\x1b[6n",
    "device control string": '\x1bP$q"p\x1b\\',
    "C1 control sequence introducer": "\x9b31mred",
    "C1 operating system command": "\x9d0;title\x9c",
    "next line": "a\x85b",
    "carriage return": "Ada\rEve",
    "backspace": "Ada\x08\x08\x08Eve",
    "bell": "\x07",
    "NUL": "a\0b",
    "delete": "a\x7f",
    "right-to-left override": "\u202egnp.exe",
    "left-to-right override": "\u202dabc",
    "pop": "a\u202c",
    "isolate": "\u2067a\u2069",
    "first strong isolate": "\u2068a",
    "right-to-left mark": "\u200fa",
    "Arabic letter mark": "\u061ca",
    "zero-width space": "a\u200bb",
    "non-joiner": "a\u200cb",
    "joiner": "a\u200db",
    "byte order mark": "\ufeffa",
    "word joiner": "a\u2060b",
    "invisible times": "a\u2062b",
    "soft hyphen": "a\u00adb",
    "Mongolian vowel separator": "a\u180eb",
    "tags": "a\U000e0041\U000e0042",
    "annotation": "\ufff9a\ufffab\ufffb",
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "no-break space": "a\u00a0b",
    "em space": "a\u2003b",
    "ideographic space": "a\u3000b",
    "zalgo": "Z\u0335\u0321\u0353\u0315\u031b\u0489\u0489",
    "marks beside a letter": "\u0915" + "\u093e" * 30,
    "Hangul filler": "\u3164",
    "Hangul initial filler": "\u115f",
    "Hangul medial filler": "\u1160",
    "halfwidth Hangul filler": "\uffa0",
    "blank Braille": "\u2800",
    "combining grapheme joiner": "Ada\u034f",
    "private use": "\ue000",
    "noncharacter": "\ufdd0",
    "unassigned": "\u0378",
    "lone surrogate": "\ud800",
    "surrogate pair as two": "\ud83d\ude00",
}

# Random text alone hardly ever puts marks, joiners and emoji together.
TRICKY = st.text(
    st.one_of(
        st.sampled_from(
            "aZ \u0301\u0323\u093e\u103c\u0335\u20e3\ufe0f\u200d\u200c\u2764\u2642\u2194\U0001f468\U0001f3fd"
        ),
        st.sampled_from(
            "\u00a9\u1100\u1161\u11a8\u3164\u202e\x1b\n\t\u2028\u00a0\u212b\ufffd\ud800\udc00\U000e0100\u034f"
        ),
        st.characters(),
    ),
    max_size=30,
)
TRICKY_MARKS = st.sampled_from("\u0301\u0327\u0323\u0307\u0308")
ANY = st.one_of(st.text(max_size=80), TRICKY)


@pytest.mark.parametrize("name", REAL_NAMES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_real_name_is_accepted_however_it_was_typed(name: str, form: str) -> None:
    typed = unicodedata.normalize("NFC" if form == "NFC" else "NFD", name)
    assert fault_in_name(normalise(typed)) is None
    assert clean(normalise(typed)) == normalise(name)


@pytest.mark.parametrize("emoji", EMOJI.values(), ids=EMOJI)
def test_emoji_is_accepted_and_shown(emoji: str) -> None:
    assert fault_in_name(f"Ada {emoji}") is None
    assert clean(f"Ada {emoji} x") == f"Ada {emoji} x"


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_attack_is_refused_everywhere(attack: str) -> None:
    text = normalise(f"Ada{attack}Eve")
    assert fault_in_name(text) is not None
    assert fault_in_status_text(text) is not None
    assert fault_in_attributes({"key": text}) is not None
    assert fault_in_attributes({text: "value"}) is not None


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_attack_is_disarmed(attack: str) -> None:
    shown = clean(f"Ada{attack}Eve")
    assert shown.startswith("Ada")
    assert shown.endswith("Eve")
    assert fault_in_status_text(shown.strip()) is None
    shown.encode()


@pytest.mark.parametrize(
    "joint", ["\u00a9", "\u24b6", "\u2500", "\ufffd", "1", "\u0915\u094d", "", "\u2764\ufe0f\ufe0f"]
)
def test_joiner_stands_only_between_emoji(joint: str) -> None:
    for text in (f"{joint}{ZWJ}\U0001f525", f"\U0001f525{ZWJ}{joint}"):
        if text != f"\U0001f525{ZWJ}\u2764\ufe0f\ufe0f":
            assert fault_in_status_text(text) == "the status text contains U+200D, which is not allowed"


def test_three_marks_are_the_most() -> None:
    assert fault_in_name("q\u0323\u0307\u0304") is None
    assert (
        fault_in_name("q\u0323\u0307\u0304\u0301")
        == "the name has more than 3 combining marks on one character"
    )
    assert clean("q\u0323\u0307\u0304\u0301\u0302x") == "q\u0323\u0307\u0304\ufffd\ufffdx"


def test_marks_beside_a_letter_are_counted_apart() -> None:
    assert fault_in_name("\u1000\u103b\u1031\u102c\u103a") is None
    assert fault_in_name("\u1000\u103b\u1031\u102c\u1038") is not None


def test_name_of_marks_alone_shows_nothing() -> None:
    assert fault_in_name("\u0301") == "the name shows nothing"


def test_spaces_alone_are_no_name() -> None:
    assert fault_in_name(normalise("  ")) == "the name is empty"


def test_length_is_counted_in_code_points() -> None:
    assert fault_in_name("q\u0323" * (NAME_CODE_POINTS // 2)) is None
    assert fault_in_name("q\u0323" * (NAME_CODE_POINTS // 2) + "\u0307") is not None
    assert fault_in_status_text("\U0001f680" * STATUS_TEXT_CODE_POINTS) is None
    assert fault_in_status_text("a" * (STATUS_TEXT_CODE_POINTS + 1)) is not None


def test_width_is_counted_in_columns() -> None:
    assert fault_in_name("\u6f22" * 16) is None
    assert fault_in_name("\u6f22" * 16 + "a") == "the name is 33 columns wide, at most 32 are allowed"
    assert fault_in_name(EMOJI["family"] * 9) is None


def test_attributes_are_counted_in_bytes_of_keys_and_values() -> None:
    assert fault_in_attributes({"\u6f22": "\u6f22" * 340, "k": ""}) is None
    assert (
        fault_in_attributes({"\u6f22": "\u6f22" * 340, "kk": ""})
        == "the attributes have 1025 bytes, at most 1024 are allowed"
    )
    assert fault_in_attributes({"key": "v" * (ATTRIBUTES_BYTES - 3)}) is None


@pytest.mark.parametrize("text", ["Jose\u0301", "\u1100\u1161", "\u212b", "e\u0301\u0323"])
def test_text_that_is_not_normalised_is_refused(text: str) -> None:
    assert fault_in_name(text) == "the name is not in Unicode normal form C"
    assert fault_in_name(normalise(text)) is None


def test_fault_never_repeats_what_was_refused() -> None:
    for attack in ATTACKS.values():
        fault = fault_in_name(normalise(f"Ada{attack}Eve"))
        assert fault is not None
        assert fault.isascii()
        assert fault.isprintable()


@given(ANY)
def test_normalised_is_nfc_without_spaces_at_the_ends(text: str) -> None:
    assert normalise(text) == unicodedata.normalize("NFC", text).strip(" ")


@pytest.mark.parametrize("letter", ["\u1fa7", "\u01d5", "\u1ea8", "\uac01", "\U0001d15e"])
def test_longest_text_is_accepted_however_it_was_typed(letter: str) -> None:
    composed = unicodedata.normalize("NFC", letter)
    text = composed * (STATUS_TEXT_CODE_POINTS // len(composed))
    typed = "  " + unicodedata.normalize("NFD", text) + " " * 10_000
    assert normalise(typed) == text
    assert fault_in_status_text(normalise(typed)) is None


def test_no_code_point_takes_more_than_four_apart() -> None:
    # What `normalise` counts on when it leaves a text alone that is too long.
    assert max(len(unicodedata.normalize("NFD", chr(point))) for point in range(0x110000)) == 4


@pytest.mark.parametrize(
    "hostile",
    [
        "a" + "\u0301" * 60_000 + "\u0327" * 60_000,
        ("a" + "\u0327\u0301" * 30) * 1_000 + "\u0301\u0327" * 30_000,
        "\u1e69" + "\u0f71\u0f72\u0f74" * 40_000,
        "\u1100" * 60_000 + "\u1161" * 60_000,
        "\u0344" * 120_000,
    ],
    ids=["two kinds of mark", "long runs", "marks of three classes", "jamo", "marks that come apart"],
)
def test_no_text_takes_long(hostile: str) -> None:
    started = time.process_time()
    clean(hostile)
    normalise(hostile)
    # Linear, this takes a tenth of that; a run put in order took half a minute.
    assert time.process_time() - started < 2


@given(st.text(TRICKY_MARKS, max_size=200), st.sampled_from(["", "a", "\u1e69", "\ufffd"]))
def test_marks_of_a_long_run_are_replaced_one_by_one(marks: str, base: str) -> None:
    shown = clean(base + marks)
    replaced = shown.count(REPLACEMENT) - base.count(REPLACEMENT)
    if len(marks) > 2 * COMBINING_MARKS:
        # Some become part of the base, three stay on it, and of the rest each is replaced.
        assert len(unicodedata.normalize("NFC", base + marks)) - len(base) - COMBINING_MARKS <= replaced
    assert clean(shown) == shown


@given(ANY)
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(ANY)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(ANY)
@example("\U0001f468\ufe0f\u0301\u0301\u0301\u200d\U0001f469")
def test_what_is_accepted_is_shown_as_it_is(text: str) -> None:
    text = normalise(text)
    if fault_in_name(text) is None or fault_in_status_text(text) is None:
        assert clean(text) == text


@given(ANY)
def test_what_is_accepted_is_normalised(text: str) -> None:
    if fault_in_status_text(text) is None:
        assert unicodedata.normalize("NFC", text) == text


@given(ANY)
def test_clean_text_has_nothing_that_tricks_a_terminal(text: str) -> None:
    shown = clean(text)
    for character in JOINED.sub("", shown):
        assert unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert character == " " or not character.isspace()
        assert unicodedata.bidirectional(character) not in BIDIRECTIONAL_CONTROLS


@given(ANY)
def test_clean_text_has_few_marks_on_a_base(text: str) -> None:
    for kinds in ({"Mn", "Me"}, {"Mc"}):
        marks = 0
        for character in clean(text):
            category = unicodedata.category(character)
            marks = marks + (category in kinds) if category[0] == "M" else 0
            assert marks <= COMBINING_MARKS


@given(ANY)
def test_clean_text_would_be_accepted_but_for_its_length(text: str) -> None:
    shown = clean(text)
    assume(len(shown) <= STATUS_TEXT_CODE_POINTS)
    assert fault_in_status_text(shown) is None


@given(st.lists(st.sampled_from([*REAL_NAMES, *EMOJI.values()]), max_size=4))
def test_harmless_text_is_not_touched(parts: list[str]) -> None:
    text = unicodedata.normalize("NFC", " ".join(parts))
    assert REPLACEMENT not in clean(text)
    assert clean(text) == text


@given(ANY, st.dictionaries(ANY, ANY, max_size=3))
def test_no_text_raises(text: str, attributes: dict[str, str]) -> None:
    for faults in (fault_in_name(text), fault_in_status_text(text), fault_in_attributes(attributes)):
        assert faults is None or faults.isascii()
    assert isinstance(clean(text) + normalise(text), str)


@pytest.mark.parametrize(
    "point", [*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0xD800, 0xE000, 97)]
)
def test_code_point_never_reaches_a_terminal(point: int) -> None:
    assert chr(point) not in clean(f"a{chr(point)}b")
    assert fault_in_name(f"a{chr(point)}b") is not None
