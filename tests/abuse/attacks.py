"""All attacks, in the order in which they are run."""

from tests.abuse import (
    attack_admin,
    attack_bytes,
    attack_floods,
    attack_frames,
    attack_half_open,
    attack_hostile,
    attack_readers,
    attack_secrets,
    attack_states,
    attack_streams,
    attack_texts,
)

ATTACKS = (
    attack_bytes.ATTACK,
    attack_states.ATTACK,
    attack_floods.ATTACK,
    attack_half_open.ATTACK,
    attack_streams.ATTACK,
    attack_frames.ATTACK,
    attack_readers.ATTACK,
    attack_secrets.ATTACK,
    attack_texts.ATTACK,
    attack_admin.ATTACK,
    attack_hostile.ATTACK,
)
