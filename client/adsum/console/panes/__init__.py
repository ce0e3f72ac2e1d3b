"""What each part of the full screen shows: pure functions from the state and a size to strips.

Each returns strips of any number and width; `view` gives them their place, and cuts or fills what doesn't fit.
"""
