# SPDX-License-Identifier: Apache-2.0
"""The page of `kelp up`: what is served, how it is doing, what was recorded last. It brings itself up to date."""

from components.evaluate.report.markup import Html, tag
from kelp.cli.page import page
from kelp.cli.up_script import SCRIPT

_STYLE = """
body { max-width: 76rem; }
header { display: flex; flex-wrap: wrap; gap: 0.25rem 1.5rem; align-items: baseline; }
header h1 { font-size: 1.4rem; flex: 1 1 auto; }
#state::before { content: "●"; margin-right: 0.4rem; }
#models { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); }
#models article { background: var(--card); border-radius: 0.75rem; padding: 1rem 1.25rem; }
#models + p { margin-top: 0.75rem; }
#models h3 { margin: 0; font-size: 1.05rem; }
#models h3 span { color: var(--quiet); font-weight: 400; margin-left: 0.5rem; font-size: 0.9rem; }
#models svg { display: block; width: 100%; height: 2.6rem; margin: 0.6rem 0 0.2rem; overflow: visible; }
#models polyline { fill: none; stroke: var(--s1); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
#models line { stroke: var(--rule); stroke-width: 1; vector-effect: non-scaling-stroke; }
#models dl {
  display: grid; grid-template-columns: repeat(3, 1fr); gap: 0.5rem 1rem; margin-top: 0.6rem;
  font-variant-numeric: tabular-nums;
}
#models dl > div { display: block; border: 0; padding: 0; }
#models dt { font-size: 0.8rem; }
#models dd { font-size: 1.15rem; font-weight: 600; }
#models .fail dd { color: var(--fail); }
#records td, #records th { white-space: nowrap; font-weight: 400; min-width: 0; }
#records tbody th { color: var(--quiet); }
#records table { width: 100%; }
@media (max-width: 640px) { #records .actor, #records .seq { display: none; } }
"""


def up_page(address: str) -> str:
    """Return the page for a server at `address`."""
    head = tag(
        "tr", *[tag("th", name, scope="col", class_=name) for name in ("seq", "time", "action", "subject", "actor")]
    )
    table = tag("table", tag("thead", head), tag("tbody", id="lines"))
    header = tag(
        "header",
        tag("h1", "kelp up"),
        tag("span", "not read yet", id="state", role="status"),
        tag("span", address, class_="quiet"),
        tag("span", id="time", class_="quiet"),
    )
    main = tag(
        "main",
        tag("h2", "Models"),
        tag("div", id="models"),
        tag("p", "Rates and times are of the last half minute, requests since the server started.", class_="quiet"),
        tag("h2", "Recorded last"),
        tag("div", table, id="records", class_="scroll", tabindex="0", role="region", aria_label="records"),
    )
    without = tag("noscript", Html("<p>This page needs JavaScript to bring itself up to date.</p>"))
    return page("kelp up", header, without, main, style=_STYLE, script=SCRIPT, has_fetches=True)
