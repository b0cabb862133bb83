# SPDX-License-Identifier: Apache-2.0
"""Texts to words and tokens: the same in prepare and in the server.

A known word is one token. An unknown one is taken apart into its known trigrams (`#pas`, `#ass`, ... of <password>,
with < and > at its ends), so that a misspelt word is still near the right one; without any it is the token 1.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping

LONGEST_TEXT = 10_000  # characters that are read
_WORD = re.compile(r"\w+")
UNKNOWN = 1


def words_of(text: str) -> list[str]:
    """Split into words: compatibility forms made one (NFKC), case folded, only letters, digits and underscores."""
    return _WORD.findall(unicodedata.normalize("NFKC", text[:LONGEST_TEXT]).casefold())


def trigrams_of(word: str) -> list[str]:
    """Every three letters in a row, with < and > for the ends, marked by #."""
    ends = f"<{word}>"
    return [f"#{ends[at : at + 3]}" for at in range(len(ends) - 2)]


def tokens_of(text: str, numbers: Mapping[str, int], length: int) -> list[int]:
    """Return at most `length` token numbers of a text.

    Args:
        text: any text.
        numbers: of words and trigrams, from 2 on.
        length: how many tokens are kept, from the start.
    """
    found: list[int] = []
    for word in words_of(text):
        number = numbers.get(word)
        if number is not None:
            found.append(number)
        else:
            found += [numbers[part] for part in trigrams_of(word) if part in numbers] or [UNKNOWN]
        if len(found) >= length:
            break
    return found[:length]


def fit_vocabulary(texts: Iterable[str], *, most_words: int = 20_000, most_trigrams: int = 5_000) -> tuple[str, ...]:
    """Words that stand at least twice and trigrams that stand in at least three words, by falling frequency."""
    words: Counter[str] = Counter()
    for text in texts:
        words.update(words_of(text))
    trigrams: Counter[str] = Counter()
    for word in words:
        trigrams.update(set(trigrams_of(word)))
    return (*_most_frequent(words, 2, most_words), *_most_frequent(trigrams, 3, most_trigrams))


def _most_frequent(counts: Counter[str], least: int, most: int) -> list[str]:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [token for token, count in ranked[:most] if count >= least]
