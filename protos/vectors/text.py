"""Vectors of the text rules: what names, texts, attributes and lobbies may be, and how foreign text is shown.

All code points here are assigned since Unicode 14 or not at all, so that the vectors hold in whatever version
a language knows.
"""

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"

NAMES_ACCEPTED = [
    ("ASCII", "Ada Lovelace"),
    ("one letter", "a"),
    ("digits and punctuation", "O'Neill-42 (she/her)"),
    ("Spanish", "Jos\u00e9 \u00d1and\u00fa"),
    ("Vietnamese", "Nguy\u1ec5n Th\u1ecb \u00c1nh"),
    ("Yoruba, two marks that have no composed form", "\u1eb9\u0300b\u00f9n"),
    ("Greek", "\u038c\u03bb\u03b3\u03b1"),
    ("Cyrillic", "\u0410\u043d\u0434\u0440\u0456\u0439"),
    ("Georgian", "\u10e5\u10d4\u10d7\u10d4\u10d5\u10d0\u10dc"),
    ("Armenian", "\u0531\u0580\u0561\u0574"),
    ("Amharic", "\u1205\u12ed\u12c8\u1275"),
    ("Hebrew", "\u05d9\u05e2\u05dc"),
    ("Hebrew with niqqud", "\u05e8\u05b4\u05d1\u05b0\u05e7\u05b8\u05d4"),
    ("Hebrew, three marks on a letter", "\u05e9\u05bc\u05c1\u05b5\u05dd"),
    ("Arabic", "\u0646\u0648\u0631"),
    ("Arabic with vowels", "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f"),
    ("Devanagari", "\u0936\u094d\u0930\u0940\u0915\u0943\u0937\u094d\u0923"),
    ("Bengali", "\u09b8\u09cc\u09ae\u09bf\u09a4\u09cd\u09b0"),
    ("Tamil", "\u0bb8\u0bcd\u0bb0\u0bc0\u0ba8\u0bbf\u0bb5\u0bbe\u0b9a\u0ba9\u0bcd"),
    ("Telugu", "\u0c15\u0c43\u0c37\u0c4d\u0c23"),
    ("Malayalam", "\u0d36\u0d4d\u0d30\u0d40\u0d15\u0d41\u0d2e\u0d3e\u0d7c"),
    ("Sinhala", "\u0dc1\u0dcf\u0db1\u0dca\u0dad"),
    ("Thai", "\u0e1b\u0e34\u0e48\u0e19\u0e41\u0e01\u0e49\u0e27"),
    ("Lao", "\u0eaa\u0ebb\u0ea1\u0e9e\u0ead\u0e99"),
    ("Khmer", "\u179f\u17d2\u179a\u17b8"),
    ("Burmese, three marks beside the letter and one above", "\u1000\u103b\u1031\u102c\u103a"),
    ("Burmese, two marks beside the letter and two stacked", "\u1016\u103c\u102d\u102f\u1038"),
    ("Tibetan, three letters stacked", "\u0f56\u0f66\u0f92\u0fb2\u0f74\u0f56\u0f66"),
    ("Korean", "\uae40\ucca0\uc218"),
    ("Chinese", "\u674e\u5c0f\u9f99"),
    ("Japanese, a variant of a character chosen", "\u845b\U000e0100\u57ce"),
    ("an emoji of one code point", "\U0001f680"),
    ("an emoji with the emoji selector", "\u2764\ufe0f"),
    ("a skin tone", "\U0001f44d\U0001f3fd"),
    ("joined: a family", FAMILY),
    ("joined: a skin tone before the joiner", "\U0001f469\U0001f3fd\u200d\U0001f680"),
    ("joined: a selector before the joiner", "\u2764\ufe0f\u200d\U0001f525"),
    ("joined: a sign after the joiner", "\U0001f9d4\U0001f3fb\u200d\u2642\ufe0f"),
    ("joined: an arrow after the joiner", "\U0001f642\u200d\u2194\ufe0f"),
    ("a flag", "\U0001f1e9\U0001f1ea"),
    ("a keycap", "1\ufe0f\u20e3"),
    ("64 code points in 32 columns", "q\u0323" * 32),
    ("32 wide columns", "\u6f22" * 16),
]
"""Name of the case, display name. Some need to be normalised."""

NAMES_REFUSED = [
    ("nothing", ""),
    ("only spaces", "   "),
    ("65 code points", "q\u0323" * 32 + "\u0301"),
    ("33 columns", "a" * 33),
    ("34 wide columns", "\u6f22" * 17),
    ("marks on nothing", "\u0301\u0302"),
    ("four stacked marks", "Z\u0335\u0321\u0353\u0315"),
    ("four marks beside a letter", "\u1000\u103b\u1031\u102c\u1038"),
    ("NUL", "a\u0000b"),
    ("a line break", "a\nb"),
    ("a tab", "a\tb"),
    ("escape: red", "\u001b[31mred"),
    ("escape: a title", "\u001b]0;title\u0007"),
    ("escape: OSC 52, the clipboard", "\u001b]52;c;cm0gLXJmIH4=\u0007"),
    ("C1: CSI in one code point", "\u009b31mred"),
    ("DEL", "a\u007f"),
    ("right-to-left override", "\u202egnp.exe"),
    ("a bidirectional isolate", "\u2066a\u2069"),
    ("a right-to-left mark", "a\u200f"),
    ("zero-width space", "a\u200bb"),
    ("word joiner", "a\u2060b"),
    ("byte order mark", "\ufeffa"),
    ("soft hyphen", "a\u00adb"),
    ("non-joiner, as in Persian", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"),
    ("joiner in a word, as in Sinhala", "\u0dc1\u0dca\u200d\u0dbb\u0dd3"),
    ("joiner between letters", "a\u200db"),
    ("joiner at the end", "\U0001f468\u200d"),
    ("joiner at the beginning", "\u200d\U0001f468"),
    ("two joiners", "\U0001f468\u200d\u200d\U0001f469"),
    ("joiner between signs that are no emoji", "\u00a9\u200d\u00a9"),
    ("a flag made of tags", ENGLAND),
    ("no-break space", "a\u00a0b"),
    ("ideographic space", "a\u3000b"),
    ("line separator", "a\u2028b"),
    ("paragraph separator", "a\u2029b"),
    ("Hangul filler", "\u3164"),
    ("Hangul initial filler", "a\u115f"),
    ("Hangul medial filler", "a\u1160"),
    ("halfwidth Hangul filler", "\uffa0"),
    ("blank Braille", "\u2800"),
    ("combining grapheme joiner", "a\u034fb"),
    ("Khmer inherent vowel", "\u1780\u17b4"),
    ("musical null note", "\U0001d159"),
    ("private use", "\ue000"),
    ("private use beyond the first plane", "\U000f0000"),
    ("never assigned", "\uffff"),
    ("not assigned", "a\u0378"),
]
"""Name of the case, display name."""

NORMALISED = [
    ("already so", "Ada", "Ada"),
    ("spaces at the ends", "  Ada  Lovelace ", "Ada  Lovelace"),
    ("decomposed", "Jose\u0301", "Jos\u00e9"),
    ("marks in another order", "e\u0301\u0323", "\u1eb9\u0301"),
    ("Hangul letters", "\u1100\u1161\u11a8", "\uac01"),
    ("Angstrom sign", "\u212b", "\u00c5"),
    ("compatibility forms stay", "\ufb01\uff21", "\ufb01\uff21"),
    ("other white space stays, to be refused", "\u00a0a\t", "\u00a0a\t"),
]
"""Name of the case, text, the text that is checked and kept."""

STATUS_TEXTS = [
    ("nothing", "", True),
    ("a sentence", "Back at 14:00 \u2615\ufe0f", True),
    ("140 code points", "\u6f22" * 140, True),
    ("141 code points", "a" * 141, False),
    ("a line break", "a\r\nb", False),
    ("an escape", "\u001b[2J", False),
    ("an override", "\u202e", False),
]
"""Name of the case, text, whether it is accepted."""

ATTRIBUTES: list[tuple[str, dict[str, str], bool]] = [
    ("none", {}, True),
    ("two", {"device": "phone", "city": "\u6771\u4eac"}, True),
    ("an empty value", {"typing": ""}, True),
    ("an empty key", {"": "x"}, False),
    ("1024 bytes", {"k": "v" * 1023}, True),
    ("1025 bytes", {"k": "v" * 1024}, False),
    ("1025 bytes, of which 1023 code points", {"k": "\u00e9\u00e9" + "v" * 1020}, False),
    ("1025 bytes in many", {f"{index:04}": "v" for index in range(205)}, False),
    ("a control character in a key", {"a\u0000": "x"}, False),
    ("an escape in a value", {"a": "\u001b[0m"}, False),
    ("not in NFC", {"a": "e\u0301"}, False),
]
"""Name of the case, attributes, whether they are accepted."""

LOBBIES = [
    ("a", True),
    ("0", True),
    ("lobby", True),
    ("team-7.eu_west", True),
    ("a" * 64, True),
    ("", False),
    ("a" * 65, False),
    ("Lobby", False),
    (".hidden", False),
    ("-dash", False),
    ("_line", False),
    ("a b", False),
    ("a/b", False),
    ("lobby\n", False),
    ("l\u00f6bby", False),
    ("lobby\u0661", False),
]
"""Lobby, whether it is accepted."""

CLEANED = [
    ("harmless", "Ada Lovelace", "Ada Lovelace"),
    ("nothing", "", ""),
    ("spaces stay", "  a  ", "  a  "),
    ("decomposed", "Jose\u0301", "Jos\u00e9"),
    ("line breaks and tabs", "a\r\nb\tc\u2028d\u2029e", "a  b c d e"),
    ("escape: red", "\u001b[31mred\u001b[0m", "\ufffd[31mred\ufffd[0m"),
    ("escape: OSC 52", "\u001b]52;c;cm0=\u0007", "\ufffd]52;c;cm0=\ufffd"),
    ("C1", "\u009b2J\u0085", "\ufffd2J\ufffd"),
    ("override", "\u202egnp.exe", "\ufffdgnp.exe"),
    ("isolates", "\u2066a\u2069", "\ufffda\ufffd"),
    ("a family", FAMILY, FAMILY),
    ("joiner between letters", "a\u200db", "a\ufffdb"),
    ("non-joiner", "\u06cc\u200c\u0631", "\u06cc\ufffd\u0631"),
    ("a joiner that loses its neighbour", "\U0001f468\u200d\u0007", "\U0001f468\ufffd\ufffd"),
    ("marks beyond the third", "Z\u0335\u0321\u0353\u0315\u031b!", "Z\u0335\u0321\u031b\ufffd\ufffd!"),
    (
        "marks beside the letter beyond the third",
        "\u1000\u103b\u1031\u102c\u1038",
        "\u1000\u103b\u1031\u102c\ufffd",
    ),
    ("Hangul filler", "\u3164", "\ufffd"),
    ("private use, never assigned", "\ue000\uffff", "\ufffd\ufffd"),
    ("no-break space", "a\u00a0b", "a\ufffdb"),
]
"""Name of the case, foreign text, what is shown."""


def vectors() -> dict[str, object]:
    """Make the content of `text.json`."""
    return {
        "about": "Which texts a server accepts, why it refuses the others, and how to show foreign text.",
        "normalised": [{"name": name, "text": text, "normalised": kept} for name, text, kept in NORMALISED],
        "names": [
            *(_verdict(name, "text", text, "") for name, text in NAMES_ACCEPTED),
            *(_verdict(name, "text", text, "REASON_BAD_NAME") for name, text in NAMES_REFUSED),
        ],
        "status_texts": [
            _verdict(name, "text", text, "" if accepted else "REASON_BAD_STATUS_TEXT")
            for name, text, accepted in STATUS_TEXTS
        ],
        "attributes": [
            _verdict(name, "attributes", attributes, "" if accepted else "REASON_BAD_ATTRIBUTES")
            for name, attributes, accepted in ATTRIBUTES
        ],
        "lobbies": [
            {"text": text, "refusal": "" if accepted else "REASON_BAD_LOBBY"} for text, accepted in LOBBIES
        ],
        "cleaned": [{"name": name, "text": text, "shown": shown} for name, text, shown in CLEANED],
    }


def _verdict(name: str, field: str, value: object, refusal: str) -> dict[str, object]:
    return {"name": name, field: value, "refusal": refusal}
