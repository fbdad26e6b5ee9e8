"""A station of somebody else's."""

from foreign_station.playlog import PLAYLOG
from foreign_station.schedule import PlaylogError, air, plan
from foreign_station.sign_off import SignOffError, sign_off
from foreign_station.tape_shelf import TapeShelf

__all__ = ["PLAYLOG", "PlaylogError", "SignOffError", "TapeShelf", "air", "plan", "sign_off"]
