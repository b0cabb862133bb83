# SPDX-License-Identifier: Apache-2.0
"""What `kelp compare` compares: a run by its id, or a registered version, each with the folders that it left."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kelp.cli.session import Session
from kelp.errors import InputError, NotFound
from kelp.runs.facts import RunFacts, list_facts, run_facts, version_facts
from kelp.runs.outputs import output_folder, read_object, step_document


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two.

    Attributes:
        name: for people: the run's id, or `fraud version 3`.
        facts: of the run that made it.
        prepared: what prepare wrote; None where the run's folder is gone, or did not come so far.
        packaged: the version directory; None where the run did not come so far.
        evaluation: the content of evaluation.json; empty where the run did not come so far.
    """

    name: str
    facts: RunFacts
    prepared: Path | None
    packaged: Path | None
    evaluation: Mapping[str, Any]

    @property
    def task(self) -> str:
        """Of the model; empty where it was not judged."""
        return str(self.evaluation.get("model", {}).get("task", ""))

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec it was made from, every default written out; empty where there is no version directory."""
        return read_object(self.packaged / "spec.json").get("spec", {}) if self.packaged else {}


def find_side(session: Session, text: str, into: Path) -> Side:
    """Find a run by its id, or the unique beginning of it, or a version as model@number or model@alias.

    Args:
        session: has the home and the registry.
        text: as typed.
        into: where a version's directory is brought, checked; must not exist.

    Raises:
        NotFound: there is none.
        InputError: several runs begin like that.
    """
    return _version(session, text, into) if "@" in text else _run(session, text)


def _run(session: Session, text: str) -> Side:
    known = list_facts(session.home)
    exact = [facts for facts in known if facts.run == text]
    found = exact or [facts for facts in known if text and facts.run.startswith(text)]
    if not found:
        latest = ", ".join(facts.run for facts in known[:3]) or "none yet"
        raise NotFound(f"there is no run {text!r}", fix=f"the latest runs: {latest}; a version is model@1")
    if len(found) > 1:
        names = ", ".join(facts.run for facts in found[:3])
        raise InputError(f"{len(found)} runs begin with {text!r}", fix=f"type more of one: {names}")
    return _side(found[0].run, found[0], output_folder(found[0].folder, "package"))


def _version(session: Session, text: str, into: Path) -> Side:
    model, _, wanted = text.partition("@")
    registry = session.registry
    aliases = registry.aliases(model)
    number = int(wanted) if wanted.isascii() and wanted.isdigit() else aliases.get(wanted)
    if number is None:
        known = ", ".join([str(version.number) for version in registry.versions(model)] + sorted(aliases))
        raise NotFound(f"there is no version {wanted!r}", place=model, fix=f"known are {known or 'none yet'}")
    packaged = registry.fetch(model, number, into)
    manifest, evaluation = read_object(packaged / "manifest.json"), read_object(packaged / "evaluation.json")
    name = f"{model} version {number}"
    run_dir = Path(session.home.runs) / str(manifest["run"])
    if (run_dir / "run.json").is_file():
        return _side(name, replace(run_facts(run_dir), version=number), packaged)
    facts = version_facts(number, manifest, evaluation.get("training", {}))
    return Side(name, facts, None, packaged, evaluation)


def _side(name: str, facts: RunFacts, packaged: Path | None) -> Side:
    evaluation = read_object(packaged / "evaluation.json") if packaged else step_document(facts.folder, "evaluate")
    return Side(name, facts, output_folder(facts.folder, "prepare"), packaged, evaluation)
