# SPDX-License-Identifier: Apache-2.0
"""The journal of a history: what a model server saw is there again after a restart, also after a `kill -9`.

A server calls `keep_history` when it has loaded a version with windows, and closes what it gets when it unloads it.
Pseudonyms stand in the place of private values before a history sees them, so no others are written.
"""

from kelp.frame.journal.kept import Kept, keep_history

__all__ = ["Kept", "keep_history"]
