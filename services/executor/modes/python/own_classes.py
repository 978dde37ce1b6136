"""The classes that code has made, in whichever call; what is not here is the platform's, or a library's."""

from weakref import WeakSet

OWN: WeakSet[type] = WeakSet()
