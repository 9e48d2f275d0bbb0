"""A machine that is busy with something else must not fail a test of examples: no deadline for one."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
