# SPDX-License-Identifier: Apache-2.0
"""How much a fitted network rests on each feature: permutation importance. No torch here."""

from collections.abc import Callable, Iterable

import numpy as np

from components.train.network_rows import Block


def shares(
    loss: Callable[[Iterable[Block]], float], sample: Block, names: tuple[str, ...], seed: int
) -> dict[str, float]:
    """Each feature's share of what the loss grows by when that feature's values change places between the rows.

    After Breiman, "Random Forests" (2001), section 10. Features that are like each other share their importance.

    Args:
        loss: the mean loss of some rows.
        sample: rows, best those that the network did not learn from.
        names: of the features, in the order of the matrix.
        seed: of the permutations.

    Returns:
        Shares that sum to 1, largest first; a feature without which the loss grows by nothing is left out.
    """
    rng = np.random.default_rng(seed)
    matrix, target = sample[0].copy(), sample[1]
    whole = loss([(matrix, target)])
    growth: dict[str, float] = {}
    for position, name in enumerate(names):
        values = matrix[:, position].copy()
        matrix[:, position] = rng.permutation(values)
        growth[name] = loss([(matrix, target)]) - whole
        matrix[:, position] = values
    total = sum(grown for grown in growth.values() if grown > 0)
    found = {name: round(grown / total, 6) for name, grown in growth.items() if grown > 0}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
