"""The sign that something is under way. Pure."""

from adsum.console.inputs import Moment
from adsum.console.state import SPINNER_SECONDS

PICTURES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def spinner(moment: Moment) -> str:
    """Draw the picture for this moment."""
    return PICTURES[int(moment.seconds / SPINNER_SECONDS) % len(PICTURES)]
