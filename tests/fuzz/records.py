"""Records as a client would read them, from the store."""

from adsum.server.member import Liveness, Member
from tests.model.lobby import Record


def record_of(member: Member) -> Record:
    """Put a record of the store as a client would read it."""
    latest = max(member.sessions, key=lambda session: session.profile_revision).profile
    is_online = any(session.liveness is Liveness.ONLINE for session in member.sessions)
    said = (latest.name, int(latest.status), latest.status_text, latest.attributes)
    return Record(member.incarnation, member.revision, is_online, len(member.sessions), said)
