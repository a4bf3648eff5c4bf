"""Power cuts, a few of each kind; `./dev cuts` makes twenty."""

import random

from power_cuts import cut_power

# Tests may run beside a build on the same disk, where one sync takes long; `./dev cuts` wants 1.1 s.
WITHIN = 2.0


def scenario_power_cut(lab):
    """a power cut at full rate takes at most the last second, and never something in the middle"""
    return cut_power(lab, 2, random.SystemRandom().randrange(1 << 30), within=WITHIN)


def scenario_power_cut_with_peer(lab):
    """after a power cut whatever a peer had received comes back"""
    return cut_power(lab, 2, random.SystemRandom().randrange(1 << 30), with_peer=True, within=WITHIN)
