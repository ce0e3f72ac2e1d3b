"""What a profile may say, checked before anything is sent: the contract's rules, in the words that a person reads. Pure."""

from dataclasses import replace

from adsum.client.errors import InvalidProfile
from adsum.client.member import Profile, Status
from adsum.contract.text import fault_in_attributes, fault_in_name, fault_in_status_text, normalise


def checked(profile: Profile) -> Profile:
    """Bring a profile into the form in which it is sent.

    Raises:
        InvalidProfile: the server would refuse it; the text says why.
    """
    name, status_text, attributes = (
        normalise(profile.name),
        normalise(profile.status_text),
        dict(profile.attributes),
    )
    fault = fault_in_name(name) or fault_in_status_text(status_text) or fault_in_attributes(attributes)
    if fault:
        raise InvalidProfile(fault)
    try:
        status = Status(profile.status)
    except ValueError as exc:
        raise InvalidProfile(f"{profile.status!r} is not a status") from exc
    return replace(profile, name=name, status=status, status_text=status_text, attributes=attributes)
