"""A station of somebody else's."""

from foreign_station.sign_off import SignOffError, sign_off
from foreign_station.tape_shelf import TapeShelf

__all__ = ["SignOffError", "TapeShelf", "sign_off"]
