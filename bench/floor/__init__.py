"""The bare floor: the same road over the bus as Shoal's, with nothing on it. No sandbox, no auth, no records of state.

HTTP -> stream FLOOR_IN -> forwarder -> stream FLOOR_WORK -> responder -> reply to HTTP, and
stream FLOOR_EVENTS -> recorder -> MongoDB.
"""
