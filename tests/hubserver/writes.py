"""What can be written to the Hub: repositories, LFS objects, commits, branches, pull requests.

Answers the calls of huggingface_hub 2.4 that this project makes, as their source sends and reads them: `create_repo`,
`create_commit`, `preupload_lfs_files` (LFS, basic and multipart), `create_branch`, `create_pull_request`,
`get_repo_discussions`, `get_discussion_details` (hf_api.py, _commit_api.py, lfs.py). There is no Xet: its token route is 404.
"""

from __future__ import annotations

import base64
import hashlib
import json
from math import ceil
from typing import Any

import yaml

from tests.hubserver.messages import Refused, Request, Response, Site, as_json, error, route
from tests.hubserver.reads import visible
from tests.hubserver.store import DATE, Commit, Discussion, File, Repository, User, file_of, is_lfs, lfs_file

CHUNK_SIZE = 1 << 20
"""LFS objects above this size are uploaded in parts of it."""

MAX_REGULAR = 10_000_000


def writer(site: Site, request: Request, repo: str, *, to_pull_request: bool = False) -> tuple[Repository, User]:
    """The repository and who writes to it. Raises Refused where they may not."""
    repository = visible(site, request, repo)
    user = site.user(request)
    if user is None:
        raise Refused(error(401, "Invalid username or password."))
    if user.role != "write" or not (to_pull_request or user.owns(repository)):
        raise Refused(error(403, f"You don't have the rights to write to {repo}"))
    return repository, user


def _body(request: Request) -> Any:
    try:
        return json.loads(request.body.read() or b"{}")
    except ValueError:
        raise Refused(error(400, "the body is not JSON")) from None


def create_repo(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """POST /api/repos/create."""
    user = site.user(request)
    asked = _body(request)
    if user is None:
        return error(401, "Invalid username or password.")
    owner = asked.get("organization") or user.name
    repo = f"{owner}/{asked['name']}"
    if user.role != "write" or owner not in (user.name, *user.orgs):
        return error(403, f'You don\'t have the rights to create a model under the namespace "{owner}"')
    with site.store.lock:
        if repo in site.store.repositories:
            return as_json({"error": "You already created this model repo", "url": f"{site.hub}/{repo}"}, 409)
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        site.store.create(repo, private=private)
        site.store.commit(
            repo, {".gitattributes": b"*.gguf filter=lfs diff=lfs merge=lfs -text\n"}, title="initial commit"
        )
    return as_json({"url": f"{site.hub}/{repo}", "name": repo, "id": "2" * 24})


def validate_yaml(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """POST /api/validate-yaml, which comes before a commit with a README.md."""
    content = _body(request)["content"]
    head, _, _ = content.removeprefix("---\n").partition("\n---")
    try:
        data = yaml.safe_load(head) if content.startswith("---\n") else {}
    except yaml.YAMLError as problem:
        return as_json({"errors": [{"message": str(problem)}], "warnings": []}, 400)
    errors = []
    if not isinstance(data, dict):
        errors.append({"message": "metadata should be an object"})
    elif not isinstance(data.get("license", ""), str | list):
        errors.append({"message": '"license" must be one of the known licenses'})
    return as_json({"errors": errors, "warnings": []}, 400 if errors else 200)


def preupload(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """POST /api/models/ORG/NAME/preupload/REVISION: which files are LFS, and what is there already."""
    repo, revision = groups
    to_pull_request = request.query.get("create_pr") == ["1"]
    repository, _ = writer(site, request, repo, to_pull_request=to_pull_request)
    commit = repository.find(revision)
    if commit is None:
        return error(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    files = []
    for asked in _body(request)["files"]:
        lfs = is_lfs(asked["path"], b"") or asked["size"] >= MAX_REGULAR
        there = commit.files.get(asked["path"])
        found = {"path": asked["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
        files.append(found | ({"oid": there.sha256 or there.oid} if there else {}))
    return as_json({"files": files, "commitOid": commit.id})


def lfs_batch(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """POST /ORG/NAME.git/info/lfs/objects/batch: where each object goes, or that it is there."""
    (repo,) = groups
    asked = _body(request)
    # with create_pr the client names no ref, and a reader may upload
    writer(site, request, repo, to_pull_request="ref" not in asked)
    objects = []
    for wanted in asked["objects"]:
        oid, size = wanted["oid"], wanted["size"]
        found: dict[str, Any] = {"oid": oid, "size": size, "authenticated": True}
        if oid not in site.store.objects:
            multipart = "multipart" in asked["transfers"] and size > CHUNK_SIZE
            found["actions"] = _actions(site, repo, oid, size, multipart=multipart)
        objects.append(found)
    many = any("chunk_size" in one.get("actions", {}).get("upload", {}).get("header", {}) for one in objects)
    return as_json({"transfer": "multipart" if many else "basic", "objects": objects})


def _actions(site: Site, repo: str, oid: str, size: int, *, multipart: bool) -> dict[str, Any]:
    verify = {"href": f"{site.hub}/{repo}.git/info/lfs/verify", "header": {}}
    if not multipart:
        return {"upload": {"href": site.sign(f"/upload/{oid}"), "header": {}}, "verify": verify}
    parts = {f"{n:05d}": site.sign(f"/part/{oid}/{n}") for n in range(1, ceil(size / CHUNK_SIZE) + 1)}
    complete = f"{site.hub}/api/complete_multipart?uploadId={oid[:8]}"
    return {"upload": {"href": complete, "header": {"chunk_size": str(CHUNK_SIZE), **parts}}, "verify": verify}


def _uploaded(site: Site, request: Request) -> bytes:
    """The body of an upload to the second origin. Raises Refused where it is not signed or not of the stated length."""
    if "authorization" in request.headers:
        raise Refused(Response(400, {}, b"<Error><Code>InvalidArgument</Code></Error>"))
    if not site.is_signed(request):
        raise Refused(
            Response(403, {}, b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
        )
    if "chunked" in request.headers.get("transfer-encoding", "").lower():
        raise Refused(Response(501, {}, b"<Error><Code>NotImplemented</Code></Error>"))
    data = request.body.read()
    if len(data) != int(request.headers.get("content-length", "0")):
        raise Refused(Response(400, {}, b"<Error><Code>IncompleteBody</Code></Error>"))
    return data


def put_object(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """PUT of a whole object to the second origin."""
    data = _uploaded(site, request)
    with site.store.lock:
        site.store.unchecked[groups[0]] = data
    return Response(200, {"etag": f'"{hashlib.md5(data).hexdigest()}"'})


def put_part(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """PUT of one part."""
    data = _uploaded(site, request)
    with site.store.lock:
        site.store.parts[groups[0], int(groups[1])] = data
    return Response(200, {"etag": f'"{hashlib.md5(data).hexdigest()}"'})


def complete_multipart(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """POST of the list of parts, whose tags must be those of the parts that came."""
    asked = _body(request)
    oid, store = asked["oid"], site.store
    with store.lock:
        pieces = []
        for number, part in enumerate(asked["parts"], 1):
            data = store.parts.get((oid, number))
            if data is None and oid in store.unchecked | store.objects:
                # completed before, and the reply was lost
                return as_json({"success": True})
            if data is None or part != {"partNumber": number, "etag": f'"{hashlib.md5(data).hexdigest()}"'}:
                return error(400, "One or more of the specified parts could not be found")
            pieces.append(data)
        store.unchecked[oid] = b"".join(pieces)
        for number in range(1, len(pieces) + 1):
            del store.parts[oid, number]
    return as_json({"success": True})


def verify(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """POST of an object's hash and size, after its upload."""
    writer(site, request, groups[0], to_pull_request=True)
    asked = _body(request)
    found = _checked(site, asked["oid"])
    if found is None or found.size != asked["size"]:
        return error(422, "the object is not what was announced")
    return as_json({"message": "Verified"})


def _checked(site: Site, oid: str) -> File | None:
    """The object with this hash: what was uploaded becomes one when its bytes have that hash."""
    store = site.store
    with store.lock:
        data = store.unchecked.pop(oid, None)
        if data is not None and oid not in store.objects and hashlib.sha256(data).hexdigest() == oid:
            store.objects[oid] = lfs_file(data, oid)
        return store.objects.get(oid)


def commit(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """POST /api/models/ORG/NAME/commit/REVISION: lines of JSON, a header first; with create_pr=1 a pull request."""
    repo, revision = groups
    as_pull_request = request.query.get("create_pr") == ["1"]
    repository, user = writer(site, request, repo, to_pull_request=as_pull_request or revision.startswith("refs/pr/"))
    lines = [json.loads(line) for line in request.body.read().splitlines()]
    header = lines[0]["value"]
    with site.store.lock:
        if revision not in repository.refs:
            return error(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        head = repository.refs[revision]
        if header.get("parentCommit") not in (None, head):
            return error(412, "A commit has happened since. Please refresh and try again.")
        changes: dict[str, bytes | File | None] = {}
        for line in lines[1:]:
            _change(site, repository.commits[head], line["key"], line["value"], changes)
        branch, pull = revision, None
        if as_pull_request:
            pull = _open(repository, header["summary"], header.get("description", ""), user.name)
            branch = f"refs/pr/{pull.number}"
            repository.refs[branch] = head
        made = site.store.commit(repo, changes, branch=branch, title=header["summary"])
        if branch == "main":
            _read_card(repository, made)
    return as_json({
        "success": True,
        "commitOid": made.id,
        "commitUrl": f"{site.hub}/{repo}/commit/{made.id}",
        "hookOutput": "",
        "pullRequestUrl": f"{site.hub}/{repo}/discussions/{pull.number}" if pull else None,
    })  # fmt: skip


def _change(site: Site, head: Commit, kind: str, value: Any, changes: dict[str, bytes | File | None]) -> None:
    """Put one line of a commit into `changes`. Raises Refused for what the Hub refuses."""
    path = value["path"]
    match kind:
        case "file":
            data = base64.b64decode(value["content"])
            if len(data) >= MAX_REGULAR:
                raise Refused(error(400, f"{path} is too large: use LFS"))
            changes[path] = file_of(path, data) if not is_lfs(path, data) else File(data, len(data), "0" * 40, None)
        case "lfsFile":
            found = _checked(site, value["oid"])
            if found is None or found.size != value["size"]:
                raise Refused(error(400, f"LFS pointer pointed to a file that does not exist: {path}"))
            changes[path] = found
        case "deletedFile":
            if path not in head.files:
                raise Refused(error(404, "A file with this name doesn't exist", "EntryNotFound"))
            changes[path] = None
        case _:
            raise Refused(error(400, f"unknown operation {kind}"))


def _read_card(repository: Repository, made: Commit) -> None:
    """What the Hub reads from the card when main changes."""
    if card := made.files.get("README.md"):
        text = card.read().decode()
        if text.startswith("---\n"):
            repository.card = yaml.safe_load(text.split("---\n")[1])


def _open(repository: Repository, title: str, description: str, author: str) -> Discussion:
    made = Discussion(len(repository.discussions) + 1, title, description, author, True)
    repository.discussions.append(made)
    return made


def branch(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """POST /api/models/ORG/NAME/branch/BRANCH."""
    repo, name = groups
    repository, _ = writer(site, request, repo)
    start = _body(request).get("startingPoint", "main")
    with site.store.lock:
        found = repository.find(start)
        if name in repository.refs:
            return error(409, f"Reference refs/heads/{name} already exists")
        if found is None:
            return error(404, f"Invalid rev id: {start}", "RevisionNotFound")
        if name.startswith("refs/"):
            return error(400, "Invalid reference for a branch")
        repository.refs[name] = found.id
    return as_json({"success": True})


def open_discussion(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """POST /api/models/ORG/NAME/discussions: a discussion, or a draft of a pull request."""
    repository, user = writer(site, request, groups[0], to_pull_request=True)
    asked = _body(request)
    with site.store.lock:
        made = _open(repository, asked["title"], asked["description"], user.name)
        made.is_pull_request = bool(asked["pullRequest"])
        if made.is_pull_request:
            made.status = "draft"
            repository.refs[f"refs/pr/{made.number}"] = repository.refs["main"]
    return as_json({"num": made.number, "pullRequest": made.is_pull_request})


def discussions(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """GET /api/models/ORG/NAME/discussions, newest first, ten a page."""
    repository = visible(site, request, groups[0])
    kind, author = request.query.get("type", ["all"])[0], request.query.get("author")
    found = [
        _shown(repository, one)
        for one in reversed(repository.discussions)
        if kind == "all" or one.is_pull_request == (kind == "pull_request")
        if author is None or one.author == author[0]
    ]
    start = int(request.query.get("p", ["0"])[0]) * 10
    return as_json({"discussions": found[start : start + 10], "count": len(found), "start": start})


def discussion(site: Site, request: Request, groups: tuple[str, ...]) -> Response:
    """GET /api/models/ORG/NAME/discussions/NUMBER."""
    repository = visible(site, request, groups[0])
    found = next((one for one in repository.discussions if str(one.number) == groups[1]), None)
    if found is None:
        return error(404, "Discussion not found")
    return as_json(_shown(repository, found) | {"events": [], "changes": {"base": "refs/heads/main"},
                                                "filesWithConflicts": [], "diff": ""})  # fmt: skip


def _shown(repository: Repository, one: Discussion) -> dict[str, Any]:
    return {
        "num": one.number, "title": one.title, "status": one.status, "isPullRequest": one.is_pull_request,
        "author": {"name": one.author}, "createdAt": DATE, "repo": {"name": repository.id, "type": "model"},
    }  # fmt: skip


HUB = (
    route("POST", r"/api/repos/create", create_repo),
    route("POST", r"/api/validate-yaml", validate_yaml),
    route("POST", r"/api/models/{repo}/preupload/{part}", preupload),
    route("POST", r"/{repo}\.git/info/lfs/objects/batch", lfs_batch),
    route("POST", r"/{repo}\.git/info/lfs/verify", verify),
    route("POST", r"/api/complete_multipart", complete_multipart),
    route("POST", r"/api/models/{repo}/commit/{part}", commit),
    route("POST", r"/api/models/{repo}/branch/{part}", branch),
    route("GET", r"/api/models/{repo}/discussions", discussions),
    route("POST", r"/api/models/{repo}/discussions", open_discussion),
    route("GET", r"/api/models/{repo}/discussions/{part}", discussion),
)
CDN = (
    route("PUT", r"/upload/{part}", put_object),
    route("PUT", r"/part/{part}/(\d+)", put_part),
)
