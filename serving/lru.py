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
        self._held: OrderedDict[Key, _Held] = OrderedDict()  # the one used last stands last

    def __contains__(self, key: Key) -> bool:
        held = self._held.get(key)
        return held is not None and not held.is_leaving

    def take(self, key: Key, size: int) -> list[Key] | None:
        """Hold one more, in use from the start; it is not held yet.

        Returns:
            Those that left to make room, or None if there is none: then nothing has changed.
        """
        assert key not in self._held, f"{key} is held already"
        if self._in_use() + size > self.budget:
            return None
        gone = []
        for other in [other for other, held in self._held.items() if not held.uses]:
            if self.used + size <= self.budget:
                break
            self._remove(other)
            gone.append(other)
        self._held[key] = _Held(size, uses=1)
        self.used += size
        return gone

    def use(self, key: Key) -> None:
        """Keep what is held until `release` is called as often."""
        self._held[key].uses += 1
        self._held.move_to_end(key)

    def release(self, key: Key) -> bool:
        """End one use; say whether it left now, as it was dropped in the meantime."""
        held = self._held[key]
        held.uses -= 1
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

    def _in_use(self) -> int:
        return sum(held.size for held in self._held.values() if held.uses)

    def _remove(self, key: Key) -> None:
        self.used -= self._held.pop(key).size
