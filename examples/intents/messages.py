# SPDX-License-Identifier: Apache-2.0
"""Make messages of the phrases in `phrases.txt`: fill in words, greet, thank, mistype.

The sentences of `heldout.csv` were written one by one and in another style. They are never part of the export.
"""

import csv
from pathlib import Path

import numpy as np

_HERE = Path(__file__).parent
_SLOTS = {
    "item": ("jacket", "lamp", "kettle", "backpack", "phone case", "desk", "coffee machine", "bike helmet", "sweater"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "the 3rd", "the 17th"),
}
_OPENINGS = ("", "", "hi, ", "hello, ", "good morning, ", "hey there, ", "sorry to bother you, ", "quick question: ")
_CLOSINGS = ("", "", "", " please", " thanks", ", thank you", ", it is urgent", " - can you help?", ", best regards")
_MARKS = ("", "", ".", "?", "!", "...")
_TYPO_SHARE = 0.35
START = np.datetime64("2026-02-02T06:00:00", "s")
DAYS = 60


def read_phrases() -> dict[str, list[str]]:
    """Return the phrases of each intent, in the order of `phrases.txt`."""
    phrases: dict[str, list[str]] = {}
    for line in (_HERE / "phrases.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            intent = line.strip("[]")
            phrases[intent] = []
        elif line and not line.startswith("#"):
            phrases[intent].append(line)
    return phrases


def read_heldout() -> list[tuple[str, str]]:
    """Return (intent, message) of each held-out sentence."""
    with (_HERE / "heldout.csv").open(encoding="utf-8", newline="") as file:
        return [(row["intent"], row["message"]) for row in csv.DictReader(file)]


def make_messages(copies: int, seed: int) -> list[dict[str, str]]:
    """Return messages in order of time, each with message_id, sent_at, message and intent.

    Args:
        copies: how often each phrase is used, >= 1; the first time as it stands, then with more around it.
        seed: >= 0; the same arguments give the same messages.
    """
    rng = np.random.default_rng([seed, 1])
    written = [
        (_sentence(phrase, is_plain=copy == 0, rng=rng), intent)
        for intent, phrases in read_phrases().items()
        for phrase in phrases
        for copy in range(copies)
    ]
    order = rng.permutation(len(written))
    times = START + np.sort(rng.integers(DAYS * 86_400, size=len(written))).astype("timedelta64[s]")
    return [
        {"message_id": f"msg-{row:05}", "sent_at": f"{time}Z", "message": written[at][0], "intent": written[at][1]}
        for row, (at, time) in enumerate(zip(order, times, strict=True), start=1)
    ]


def _sentence(phrase: str, *, is_plain: bool, rng: np.random.Generator) -> str:
    text = phrase.replace("{number}", str(rng.integers(10_000, 99_999)))
    for slot, words in _SLOTS.items():
        text = text.replace(f"{{{slot}}}", str(rng.choice(words)))
    closing = "" if is_plain else str(rng.choice(_CLOSINGS))
    if not is_plain:
        text = f"{rng.choice(_OPENINGS)}{text}{closing}"
    if rng.random() < _TYPO_SHARE:
        text = _mistyped(text, rng)
    text += "" if closing else str(rng.choice(_MARKS))
    return text[0].upper() + text[1:] if rng.random() < 0.5 else text


def _mistyped(text: str, rng: np.random.Generator) -> str:
    """Lose a letter of one longer word, or swap two that are neighbours."""
    words = text.split(" ")
    long = [at for at, word in enumerate(words) if len(word) >= 5]
    if not long:
        return text
    chosen = int(rng.choice(long))
    word = words[chosen]
    at = int(rng.integers(1, len(word) - 2))
    swapped = word[at + 1] + word[at] if rng.random() < 0.5 else word[at]
    words[chosen] = word[:at] + swapped + word[at + 2 :]
    return " ".join(words)
