"""Whether a model may be published: a gated one has terms that its readers accepted, and publishing passes them by."""

from __future__ import annotations

from dataclasses import replace

from ggufpress.errors import RepositoryError, UsageError
from ggufpress.hub.session import Session
from ggufpress.publish.facts import Source


def with_what_the_hub_says(session: Session, source: Source) -> Source:
    """`source` with what its repository says: whether it is gated, and its terms where the file states none.

    A repository that cannot be seen says nothing. Raises HubError where the Hub does not answer.
    """
    if source.repo is None:
        return source
    repo, revision = source.repo, source.revision
    try:
        info = session.call(lambda: session.api.model_info(repo, revision=revision), session.asked(repo, revision))
    except RepositoryError:
        return source
    stated = {key: getattr(info.card_data, key, None) for key in ("license", "license_name", "license_link")}
    terms = {key: value if isinstance(value, str) else None for key, value in stated.items()}
    found = replace(
        source,
        gated=bool(info.gated),
        revision=info.sha or revision,
        pipeline_tag=info.pipeline_tag or source.pipeline_tag,
    )
    # terms belong together: those of the card that the Hub reads, or those in the file
    if not any(terms.values()):
        return found
    return replace(
        found, license=terms["license"], license_name=terms["license_name"], license_link=terms["license_link"]
    )


def check_consent(source: Source, repo: str, *, public: bool, consent: bool) -> None:
    """Raise UsageError where a gated model would be published for all without anybody having thought of its licence."""
    if not (source.gated and public) or consent:
        return
    terms = source.license_name or source.license or "unknown terms"
    link = f", {source.license_link}" if source.license_link else ""
    raise UsageError(
        f"{source.repo} is gated (licence: {terms}{link}), and {repo} would be public",
        hint="push with --private; or, where the licence allows it, add --yes-i-may",
    )
