"""Quantize and push: each output is sent while the next is made, and what a run before has finished is not done again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ggufpress.errors import UsageError
from ggufpress.execute.manifest import manifest_path
from ggufpress.execute.run import Report
from ggufpress.gguf.shards import read_gguf_set
from ggufpress.planning import OutputPlan, Plan
from ggufpress.publish.describing import LocalModel, file_type
from ggufpress.publish.journal import Journal, fingerprint
from ggufpress.publish.names import repository_path
from ggufpress.publish.publication import Outcome, Publication
from ggufpress.recipe.presets import BY_NAME

Execute = Callable[[Plan, bool], Report]
"""Makes the files of a plan; the flag says whether files that are there may be replaced."""


def paths_of(output: OutputPlan) -> tuple[str, ...]:
    """Where the files of an output stand in a repository."""
    # a copy keeps the types there were, and its name says none
    type_name = output.preset.name if output.preset.name in BY_NAME else None
    return tuple(repository_path(file.path.name, type_name) for file in output.files)


def check_names(plan: Plan) -> None:
    """Raise UsageError where two outputs would have one name in the repository."""
    owner: dict[str, Path] = {}
    for output in plan.outputs:
        for path, file in zip(paths_of(output), output.files, strict=True):
            if path in owner:
                raise UsageError(f"{owner[path]} and {file.path} would both be {path} in the repository")
            owner[path] = file.path


def make_and_push(
    plan: Plan,
    publication: Publication,
    execute: Execute,
    *,
    force: bool = False,
    delete: bool = False,
    one_read: bool = False,
    waiting: Callable[[], None] = lambda: None,
) -> tuple[Outcome, tuple[Path, ...]]:
    """Make every output of `plan` and push it; what came of it, and the files that were made now.

    With `delete` each output is committed, and removed here, before the next is made. `one_read`: the weights are costly to
    read, so all outputs are made at once. `waiting` is called before the last bytes are waited for.
    """
    journals = {folder: Journal(folder) for folder in {output.path.parent for output in plan.outputs}}
    marks = {output.path: fingerprint(plan, output) for output in plan.outputs}
    todo, made = [], []
    outcome: Outcome | None = None

    def add(output: OutputPlan, digests: tuple[str, ...]) -> None:
        nonlocal outcome
        model = local_model(output)
        publication.add(model, digests)
        if delete:
            waiting()
            outcome = publication.commit()
            for path in (*model.files, manifest_path(output.path)):
                with suppress(FileNotFoundError):
                    path.unlink()

    for output in plan.outputs:
        journal, mark = journals[output.path.parent], marks[output.path]
        known = None if force else journal.digests(output, mark)
        if known and publication.holds(dict(zip(paths_of(output), known, strict=True))):
            publication.there(paths_of(output))
        elif not force and (digests := journal.intact(output, mark)):
            add(output, digests)
        else:
            todo.append(output)
    groups = [todo] if one_read and not delete else [[output] for output in todo]
    for group in (group for group in groups if group):
        publication.check()
        for output in group:
            _begin(journals[output.path.parent], output, marks[output.path], force=force)
        report = execute(replace(plan, outputs=tuple(group)), force)
        digest_of: Mapping[Path, str] = {file.path: file.sha256 for file in report.files}
        for output in group:
            digests = tuple(digest_of[file.path] for file in output.files)
            journals[output.path.parent].finished(output, marks[output.path], digests)
            made += [file.path for file in output.files]
            add(output, digests)
    if outcome is None or not delete:
        waiting()
        outcome = publication.commit()
    return outcome, tuple(made)


def _begin(journal: Journal, output: OutputPlan, mark: str, *, force: bool) -> None:
    # a file of somebody else's must not look like ours when this run ends here
    if force or not any(file.path.exists() for file in output.files):
        journal.begin(output, mark)


def local_model(output: OutputPlan) -> LocalModel:
    """The finished files of an output, as they are published."""
    stored = read_gguf_set(output.files[0].path)
    return LocalModel(file_type(stored), stored, paths_of(output))
