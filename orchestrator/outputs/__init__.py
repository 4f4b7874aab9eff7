"""What a skill hands out, looked at before anybody gets it: secrets, and content that acts on its reader.

``known`` (the operator's values) and ``patterns`` (well-known kinds of keys) find, ``secrets`` puts the two together
and redacts, ``values`` does so in JSON; ``markdown`` and ``active`` are about notes; ``screen`` is the policy's hand.
"""

from __future__ import annotations
