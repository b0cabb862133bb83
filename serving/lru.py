# SPDX-License-Identifier: Apache-2.0
"""Which loaded models make room for another: those used longest ago, and never one in use. Pure; it loads nothing."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Held:
    size: int
    uses: int = 0
    is_leaving: bool = False


class Lru(Generic[Key]):
    """Sizes of what is held, within a budget in bytes; not safe to share between threads."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self._in_use = 0
        self._held: OrderedDict[Key, _Held] = OrderedDict()  # the one used last stands last

    def __contains__(self, key: Key) -> bool:
        return key in self._held

    def take(self, key: Key, size: int) -> list[Key] | None:
        """Hold one more, in use from the start; it is not held yet.

        Returns:
            Those that left to make room, or None if there is none: then nothing has changed.
        """
        assert key not in self._held, f"{key} is held already"
        if self._in_use + size > self.budget:
            return None
        gone = []
        free = self.budget - self.used
        for other, held in self._held.items():
            if free >= size:
                break
            if not held.uses:
                gone.append(other)
                free += held.size
        for other in gone:
            self._remove(other)
        self._held[key] = _Held(size, uses=1)
        self.used += size
        self._in_use += size
        return gone

    def use(self, key: Key) -> None:
        """Keep what is held until `release` is called as often; what was about to leave stays."""
        held = self._held[key]
        held.is_leaving = False
        if not held.uses:
            self._in_use += held.size
        held.uses += 1
        self._held.move_to_end(key)

    def release(self, key: Key) -> bool:
        """End one use; say whether it left now, as it was dropped in the meantime."""
        held = self._held[key]
        held.uses -= 1
        if not held.uses:
            self._in_use -= held.size
        if held.is_leaving and not held.uses:
            self._remove(key)
            return True
        return False

    def drop(self, key: Key) -> bool:
        """Let one leave: at once, which is True, or with the end of its last use."""
        held = self._held[key]
        held.is_leaving = True
        if not held.uses:
            self._remove(key)
        return not held.uses

    def _remove(self, key: Key) -> None:
        self.used -= self._held.pop(key).size
