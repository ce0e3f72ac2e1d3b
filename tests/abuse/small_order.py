"""Public keys that prove nothing, and signatures that fit them whatever is signed."""

SMALL_ORDER_KEYS: tuple[bytes, ...] = tuple(
    bytes.fromhex(key)
    for key in (
        "00" * 32,
        "01" + "00" * 31,
        "ec" + "ff" * 30 + "7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "00" * 31 + "80",
        "01" + "00" * 30 + "80",
        "ed" + "ff" * 30 + "7f",
        "ee" + "ff" * 30 + "7f",
        "ec" + "ff" * 31,
        "ed" + "ff" * 31,
        "ee" + "ff" * 31,
        "ff" * 32,
    )
)
"""Points of small order, and ways to write them that are not the canonical one: with these, one signature fits everything."""
UNIVERSAL_SIGNATURES = (b"\x01" + bytes(63), bytes(64))
