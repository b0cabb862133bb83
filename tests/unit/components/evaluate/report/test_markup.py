# SPDX-License-Identifier: Apache-2.0
from components.evaluate.report.markup import Html, join, tag


def test_plain_text_is_escaped_and_markup_is_kept() -> None:
    assert tag("p", "<b>&", tag("i", "x")) == "<p>&lt;b&gt;&amp;<i>x</i></p>"


def test_attributes_are_escaped_renamed_and_left_out() -> None:
    found = tag("td", class_='a"b', aria_label="x<y", title=None, view_box="0 0 1 1", r=0.5)
    assert found == '<td class="a&quot;b" aria-label="x&lt;y" viewBox="0 0 1 1" r="0.5"></td>'


def test_joining_keeps_markup_and_skips_nothing_else_than_none() -> None:
    found = join(Html("<br>"), "", None, "<")
    assert found == "<br>&lt;"
    assert isinstance(found, Html)


def test_concatenation_with_plain_text_is_not_markup() -> None:
    assert not isinstance(tag("i", "x") + "<script>", Html)
