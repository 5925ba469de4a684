"""What can be read from the Hub: model info, trees, files, who somebody is. And the second origin, which holds LFS files.

Answers the calls of huggingface_hub 2.4 that this project makes: `HfApi.model_info`, `list_models`, `list_repo_tree`,
`get_paths_info`, `list_repo_refs`, `repo_exists`, `file_exists`, `revision_exists`, `whoami`, `get_hf_file_metadata`,
`hf_hub_download`, `snapshot_download`, and range requests on `hf_hub_url`. Headers and codes as the client's source reads them
(utils/_http.py `hf_raise_for_status`, file_download.py `get_hf_file_metadata`, utils/_pagination.py).
"""

from __future__ import annotations

import gzip
import re
from urllib.parse import parse_qs, quote, urlencode

from tests.hubserver.messages import Part, Refused, Request, Response, Site, as_json, error, route
from tests.hubserver.store import DATE, Commit, File, Repository

TEXT = (".json", ".txt", ".md", ".jinja", ".py")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def visible(site: Site, request: Request, repo: str) -> Repository:
    """The repository, as far as whoever asks may know of it. Raises Refused as the Hub does.

    Anonymous callers get 401 for what is missing and what is private, others 404.
    """
    user = site.user(request)
    repository = site.store.repositories.get(repo)
    hidden = repository is not None and repository.private and not (user and user.owns(repository))
    if repository is None or hidden:
        if user is None:
            raise Refused(error(401, "Repository not found", "RepoNotFound"))
        raise Refused(error(404, "Repository not found", "RepoNotFound"))
    if repository.disabled:
        raise Refused(error(403, "Access to this resource is disabled."))
    return repository


def readable(site: Site, request: Request, repo: str) -> Repository:
    """The repository where whoever asks may read its files. Raises Refused."""
    repository = visible(site, request, repo)
    user = site.user(request)
    if repository.gated and not (user and (user.owns(repository) or user.name in repository.granted)):
        if user is None:
            raise Refused(
                error(401, f"Access to model {repo} is restricted. You must have access to it and be authenticated "
                      "to access it. Please log in.", "GatedRepo")
            )  # fmt: skip
        raise Refused(
            error(403, f"Access to model {repo} is restricted and you are not in the authorized list.", "GatedRepo")
        )
    return repository


def commit_of(repository: Repository, revision: str) -> Commit:
    """The commit that a revision names. Raises Refused."""
    commit = repository.find(revision)
    if commit is None:
        raise Refused(error(404, f"Invalid rev id: {revision}", "RevisionNotFound"))
    return commit


def model_info(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """GET /api/models/ORG/NAME and .../revision/REVISION."""
    repo, revision = (*groups, "main")[:2]
    look = readable if site.hides_gated else visible
    repository = look(site, request, repo)
    commit = commit_of(repository, revision)
    blobs = request.query.get("blobs", ["false"])[0].lower() == "true"
    card = dict(repository.card or {})
    tags = [*_texts(card.get("tags")), *(f"license:{name}" for name in _texts(card.get("license")))]
    data = {
        "_id": "0" * 24,
        "id": repo,
        "modelId": repo,
        "author": repository.owner,
        "sha": commit.id,
        "lastModified": DATE,
        "createdAt": DATE,
        "private": repository.private,
        "gated": repository.gated,
        "disabled": repository.disabled,
        "downloads": 0,
        "likes": 0,
        "tags": tags,
        "library_name": card.get("library_name"),
        "pipeline_tag": card.get("pipeline_tag"),
        "cardData": card or None,
        "siblings": [_sibling(path, file, blobs) for path, file in sorted(commit.files.items())],
        "usedStorage": sum(file.size for file in commit.files.values()),
    }
    data = {key: value for key, value in data.items() if value is not None}
    if expand := request.query.get("expand"):
        data = {key: value for key, value in data.items() if key in ("_id", "id", *expand)}
    return as_json(data)


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item) for item in value] if isinstance(value, list | tuple) else []


def _sibling(path: str, file: File, blobs: bool) -> dict[str, object]:
    found: dict[str, object] = {"rfilename": path}
    if blobs:
        found |= {"size": file.size, "blobId": file.oid}
        if file.sha256:
            found["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
    return found


def _entry(path: str, file: File, expand: bool) -> dict[str, object]:
    found: dict[str, object] = {"type": "file", "oid": file.oid, "size": file.size, "path": path}
    if file.sha256:
        found["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": file.pointer_size}
    if expand:
        found["lastCommit"] = {"id": "0" * 40, "title": "Upload files", "date": DATE}
    return found


def models(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """GET /api/models?author=OWNER or ?search=TEXT: what everybody may see of it."""
    author, text = (request.query.get(key, [""])[0].lower() for key in ("author", "search"))
    found = [
        {"_id": "0" * 24, "id": one.id, "modelId": one.id, "private": False, "likes": 0, "downloads": 0, "tags": []}
        for one in site.store.repositories.values()
        if not one.private and text in one.id.lower() and author in ("", one.owner.lower())
    ]
    return as_json(found[: int(request.query.get("limit", ["1000"])[0])])


def tree(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """GET /api/models/ORG/NAME/tree/REVISION[/FOLDER], in pages with a Link header."""
    repo, revision, folder = (*groups, "")[:3]
    commit = commit_of(readable(site, request, repo), revision)
    recursive = request.query.get("recursive", ["false"])[0].lower() == "true"
    expand = request.query.get("expand", ["false"])[0].lower() == "true"
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, dict[str, object]] = {}
    for path, file in sorted(commit.files.items()):
        if not path.startswith(prefix):
            continue
        parts = path.removeprefix(prefix).split("/")
        depths = range(1, len(parts)) if recursive else range(1, min(2, len(parts)))
        for depth in depths:
            name = prefix + "/".join(parts[:depth])
            entries.setdefault(name, {"type": "directory", "oid": "0" * 40, "size": 0, "path": name})
        if recursive or len(parts) == 1:
            entries[path] = _entry(path, file, expand)
    if folder and not entries:
        return error(404, f"{folder} does not exist on {revision!r}", "EntryNotFound")
    limit = min(int(request.query.get("limit", [str(site.page)])[0]), site.page)
    at = int(request.query.get("cursor", ["0"])[0])
    names = list(entries)
    headers = {}
    if at + limit < len(names):
        more = {key: values[0] for key, values in request.query.items()} | {"cursor": str(at + limit)}
        headers["link"] = f'<{site.hub}{request.path}?{urlencode(more)}>; rel="next"'
    return as_json([entries[name] for name in names[at : at + limit]], headers=headers)


def paths_info(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """POST /api/models/ORG/NAME/paths-info/REVISION with a form of paths."""
    repo, revision = groups
    commit = commit_of(readable(site, request, repo), revision)
    form = parse_qs(request.body.read().decode())
    expand = form.get("expand", ["false"])[0].lower() == "true"
    found = []
    for path in form.get("paths", []):
        if path in commit.files:
            found.append(_entry(path, commit.files[path], expand))
        elif any(name.startswith(f"{path}/") for name in commit.files):
            found.append({"type": "directory", "oid": "0" * 40, "size": 0, "path": path})
    return as_json(found)


def refs(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """GET /api/models/ORG/NAME/refs."""
    repository = visible(site, request, groups[0])
    pulls = {name: commit for name, commit in repository.refs.items() if name.startswith("refs/pr/")}
    heads = {name: commit for name, commit in repository.refs.items() if name not in pulls}
    data: dict[str, object] = {
        "branches": [{"name": n, "ref": f"refs/heads/{n}", "targetCommit": c} for n, c in heads.items()],
        "tags": [{"name": n, "ref": f"refs/tags/{n}", "targetCommit": c} for n, c in repository.tags.items()],
        "converts": [],
    }
    if request.query.get("include_prs"):
        data["pullRequests"] = [{"name": n.split("/")[-1], "ref": n, "targetCommit": c} for n, c in pulls.items()]
    return as_json(data)


def resolve(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """GET or HEAD /ORG/NAME/resolve/REVISION/PATH: a redirect, to a signed URL for LFS files, within the Hub for others."""
    repo, revision, path = groups
    commit = commit_of(readable(site, request, repo), revision)
    file = commit.files.get(path)
    if file is None:
        missing = error(404, "Entry not found", "EntryNotFound")
        return Response(404, {**missing.headers, "x-repo-commit": commit.id}, missing.body)
    etag = f'"{file.sha256 or file.oid}"'
    headers = {"x-repo-commit": commit.id, "x-linked-size": str(file.size), "x-linked-etag": etag}
    if file.sha256:
        location = site.sign(f"/repos/{quote(repo)}/{file.sha256}")
        headers["accept-ranges"] = "bytes"
        return Response(302, {**headers, "location": location}, f"Found. Redirecting to {location}".encode())
    location = f"/api/resolve-cache/models/{repo}/{commit.id}/{quote(path)}"
    return Response(307, {**headers, "etag": etag, "location": location}, b"Temporary Redirect")


def small_file(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """GET or HEAD /api/resolve-cache/models/ORG/NAME/COMMIT/PATH: a file that is a git blob, texts gzipped on request."""
    repo, revision, path = groups
    commit = commit_of(readable(site, request, repo), revision)
    file = commit.files.get(path)
    if file is None or file.sha256:
        return error(404, "Entry not found", "EntryNotFound")
    headers = {"x-repo-commit": commit.id, "etag": f'"{file.oid}"'}
    zipped = "gzip" in request.headers.get("accept-encoding", "") and "range" not in request.headers
    if request.method == "GET" and zipped and path.endswith(TEXT):
        headers |= {"content-encoding": "gzip", "transfer-encoding": "chunked"}
        return Response(200, headers, gzip.compress(file.read(), mtime=0))
    return ranged(request, file, headers)


def large_file(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """GET or HEAD of an LFS file on the second origin, which asks for a signature and for no token."""
    if "authorization" in request.headers:
        return Response(
            400, {}, b"<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>"
        )
    if not site.is_signed(request):
        return Response(403, {}, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
    file = site.store.objects.get(groups[-1])
    if file is None:
        return Response(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
    return ranged(request, file, {"etag": f'"{file.sha256}"'})


def ranged(request: Request, file: File, headers: dict[str, str]) -> Response:
    """The file, or the part that the Range header asks for."""
    size = len(file.content) if isinstance(file.content, bytes) else file.content.stat().st_size
    headers = {**headers, "accept-ranges": "bytes"}
    asked = _RANGE.fullmatch(request.headers.get("range", ""))
    if not asked or not any(asked.groups()):
        return Response(200, headers, Part(file, 0, size))
    if not asked[1]:
        start, end = max(0, size - int(asked[2])), size
    else:
        start, end = int(asked[1]), min(int(asked[2]) + 1 if asked[2] else size, size)
    if start >= end:
        return Response(416, {**headers, "content-range": f"bytes */{size}"})
    return Response(206, {**headers, "content-range": f"bytes {start}-{end - 1}/{size}"}, Part(file, start, end))


def whoami(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """GET /api/whoami-v2."""
    user = site.user(request)
    if user is None:
        return error(401, "Invalid username or password.")
    return as_json({
        "type": "user",
        "id": "1" * 24,
        "name": user.name,
        "fullname": user.name.title(),
        "email": f"{user.name}@example.org",
        "isPro": False,
        "orgs": [{"type": "org", "name": name, "roleInOrg": "write"} for name in user.orgs],
        "auth": {"type": "access_token", "accessToken": {"displayName": "test", "role": user.role}},
    })  # fmt: skip


HUB = (
    route("GET", r"/api/models", models),
    route("GET", r"/api/models/{repo}", model_info),
    route("GET", r"/api/models/{repo}/revision/{part}", model_info),
    route("GET", r"/api/models/{repo}/tree/{part}", tree),
    route("GET", r"/api/models/{repo}/tree/{part}/{rest}", tree),
    route("POST", r"/api/models/{repo}/paths-info/{part}", paths_info),
    route("GET", r"/api/models/{repo}/refs", refs),
    route("GET|HEAD", r"/api/resolve-cache/models/{repo}/{part}/{rest}", small_file),
    route("GET", r"/api/whoami-v2", whoami),
    route("GET|HEAD", r"/{repo}/resolve/{part}/{rest}", resolve),
)
CDN = (route("GET|HEAD", r"/repos/{repo}/{part}", large_file),)
