# SPDX-License-Identifier: Apache-2.0
"""WCAG 2.2 contrast (1.4.3: 4.5 to 1 for text) of every text colour on both backgrounds, in both themes."""

import re
from importlib.resources import files

import pytest

CSS = files("components.evaluate.report").joinpath("report.css").read_text(encoding="utf-8")
THEMES = dict(zip(("light", "dark"), re.findall(r":root \{(.*?)\}", CSS, flags=re.DOTALL), strict=True))


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [pytest.param(name, id=name) for name in THEMES])
def test_text_stands_out_from_what_is_behind_it(theme: str) -> None:
    colours = dict(re.findall(r"--([\w]+): (#[0-9a-f]{6})", THEMES[theme]))
    for text in ("ink", "quiet", "pass", "fail", "undecided", "s1", "s2", "s3"):
        for behind in ("paper", "card"):
            light, dark = sorted((luminance(colours[text]), luminance(colours[behind])), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, behind)
