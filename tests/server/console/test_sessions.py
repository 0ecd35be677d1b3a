"""Who gets into the console, and what no page elsewhere, no text of a job and no stranger can do to it."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from unittest.mock import ANY

import pytest
from starlette.requests import Request
from starlette.responses import Response

from alfine import Categorical, Continuous
from alfine.api.job_words import job_request
from alfine.server.console.links import LINK_SECONDS
from alfine.server.console.sessions import FAILURE_SECONDS, MOST_FAILURES, SESSION_SECONDS, Sessions, SignInRefused
from alfine.store.access_keys import KeyFiles
from alfine.store.console_tokens import ConsoleTokens
from alfine.store.store import Store
from tests.aws.conftest import until
from tests.aws.test_keys import Locked, key_of, keys
from tests.server.console.conftest import Visitor

PAGES = [
    "/console/",
    "/console/tuning-jobs/odd",
    "/console/tuning-jobs/odd/change",
    "/console/tuning-jobs/odd/replay?criteria=%3Cscript%3Ealert(1)%3C/script%3E",
    "/console/tuning-jobs/odd/analysis?x=%3Cscript%3Ealert(1)%3C/script%3E",
    "/console/tuning-jobs/odd/configuration",
    "/console/tuning-jobs/odd/notes",
    "/console/tuning-jobs/odd/history",
    "/console/new?clone=odd",
    "/console/new/file",
    "/console/compare?name=odd",
    "/console/tuning-jobs/nobody",
    "/console/?name=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
]
FORMS = [
    "/new",
    "/new/file",
    "/tuning-jobs/odd/notes",
    "/tuning-jobs/odd/stop",
    "/tuning-jobs/odd/change",
    "/training-jobs/x/stop",
    "/sign-in",
]
ODD = '"><script>alert(1)</script><b onclick=x>&'


def marks(body):
    """Each mark of a page as a browser sees it: (name, attributes)."""
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, given: found.append((tag, dict(given)))
    parser.feed(body)
    return found


@pytest.fixture(scope="module")
def odd(served, sagemaker, tmp_path_factory):
    """A job whose every free text is markup."""
    script = tmp_path_factory.mktemp("code") / "train.py"
    script.write_text(f"print({ODD!r}); raise SystemExit({ODD!r})\n")
    space = {"<i>x</i>": Continuous(0, 1), "c": Categorical(["<u>a</u>", "'b\""])}
    request = job_request(name="odd", space=space, script=script, metric="<em>loss", max_training_jobs=2)
    sagemaker.create_hyper_parameter_tuning_job(**request)
    until(sagemaker, "odd")
    return "odd"


# ---- what a browser may do with a page


@pytest.mark.parametrize("path", PAGES)
def test_a_pages_policy_lets_only_this_servers_own_script_and_style_run(visitor, odd, path):
    page = visitor.get(path)
    policy = dict(each.strip().split(" ", 1) for each in page.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert page.headers["X-Frame-Options"] == "DENY"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.headers["Cache-Control"] == "no-store"
    for tag, given in marks(page.body):
        assert tag not in ("style", "iframe", "object", "embed", "base")
        assert not [name for name in given if name == "style" or name.startswith("on")]
        assert tag != "script" or given["src"].startswith("/console/static/")
        for name in ("src", "href", "action"):
            assert given.get(name, "#").startswith(("/console/", "?", "#"))


def test_texts_of_a_job_are_never_markup(visitor, odd):
    pages = [visitor.get(path) for path in PAGES]
    (name, *_) = re.findall(r'href="/console/training-jobs/([^"/]+)"', pages[1].body)
    pages += [visitor.get(f"/console/training-jobs/{name}"), visitor.get(f"/console/training-jobs/{name}/log")]
    assert "&lt;script&gt;alert(1)" in pages[-1].body
    assert "&lt;script&gt;alert(1)" in pages[-2].body
    assert "&lt;i&gt;x&lt;/i&gt;" in pages[1].body
    for page in pages:
        found = list(marks(page.body))
        assert {tag for tag, _ in found} & {"i", "u", "em"} == set()
        scripts = [given for tag, given in found if tag == "script"]
        assert scripts
        assert all(given == {"src": ANY, "defer": None} for given in scripts)
        assert [given for tag, given in found if tag == "b" and given] == []


# ---- what other pages may do


@pytest.mark.parametrize("action", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_no_page_elsewhere_sends_a_form(visitor, odd, action, headers):
    answer = visitor.post(f"/console{action}", {"token": "x"}, **headers)
    assert answer.status == 403
    assert "Web pages of other sites may not use alfine" in answer.text


@pytest.mark.parametrize("action", FORMS)
@pytest.mark.parametrize("fields", [{}, {"token": ""}, {"token": "x" * 43}], ids=str)
def test_a_form_without_a_pages_token_changes_nothing(visitor, odd, action, fields):
    answer = visitor.post(f"/console{action}", fields)
    assert answer.status == 403
    assert "This form doesn't belong to a page of this server" in answer.text


def test_a_link_from_elsewhere_is_met_by_a_page_that_asks(visitor, odd):
    page = visitor.get("/console/tuning-jobs/odd", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert page.status == 403
    assert 'href="/console/"' in page.body
    assert "odd" not in page.body
    assert page.headers["X-Frame-Options"] == "DENY"


def test_a_name_that_points_here_gets_no_page(visitor):
    page = visitor.get("/console/", Host="evil.example")
    assert page.status == 403
    assert "The Host header 'evil.example' isn't this server's." in page.text


@pytest.mark.parametrize(
    "path", ["/console/tuning-jobs/odd/stop", "/console/tuning-jobs/odd/change", "/console/sign-out"]
)
def test_nothing_is_changed_by_a_get(visitor, odd, path):
    assert visitor.get(path).status == (200 if path.endswith("change") else 405)


# ---- keys


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    server = Locked(tmp_path_factory.mktemp("home"))
    yield server
    server.end()


def signed_in(server, key=None, to=""):
    visitor = Visitor(server.url)
    id_, secret = key or server.key
    page = visitor.submit(f"/console/sign-in?to={to}", "/sign-in", {"key": id_, "secret": secret})
    return visitor, page


@pytest.mark.parametrize("path", ["/", "/console/", "/console/tuning-jobs/x", "/console/training-jobs/x/log"])
def test_with_keys_every_page_leads_to_the_sign_in_page(locked, path):
    page = Visitor(locked.url).get(path)
    assert page.url.startswith("/console/sign-in?to=%2Fconsole%2F")
    assert "Sign in" in page.text


@pytest.mark.parametrize("path", ["/console/events", "/console/tuning-jobs/x/events"])
def test_with_keys_nobody_follows_without_a_session(locked, path):
    assert Visitor(locked.url).get(path).status == 204


def test_with_keys_no_form_works_without_a_session(locked):
    visitor = Visitor(locked.url)
    token = re.search(r'name="token" value="([^"]+)"', visitor.get("/console/sign-in").body)[1]
    answer = visitor.post("/console/tuning-jobs/x/stop", {"token": token})
    assert answer.status == 403
    assert "You aren't signed in any more" in answer.text


def test_a_key_opens_the_console_and_leads_back(locked):
    _, page = signed_in(locked, to="%2Fconsole%2Ftraining-jobs%2Fx%2Flog")
    assert page.url == "/console/training-jobs/x/log"
    visitor, page = signed_in(locked, to="%2Fconsole%2F%3Fstatus%3DFailed")
    assert page.url == "/console/?status=Failed"
    assert "No tuning job matches" in page.text
    assert visitor.get("/console/").status == 200


@pytest.mark.parametrize(
    "to",
    [
        *("https://evil.example/", "//evil.example/", "/console/\\evil", "/bucket/page", "x", "//[evil/console/"),
        *("/console/../x", "/console/%2e%2e/x", "/console/tuning-jobs/..%2f..%2fx", "/console/tuning-jobs/.%2e/change"),
        *("/console/x", "/console/sign-out", "/console/tuning-jobs/a/events"),
    ],
)
def test_signing_in_leads_nowhere_else(locked, to):
    visitor = Visitor(locked.url)
    id_, secret = locked.key
    answer = visitor.submit("/console/sign-in", "/sign-in", {"key": id_, "secret": secret, "to": to}, stay=True)
    assert (answer.status, answer.headers["Location"]) == (303, "/console/")


def test_the_sessions_cookie_is_for_the_browser_alone(locked):
    visitor = Visitor(locked.url)
    id_, secret = locked.key
    answer = visitor.submit("/console/sign-in", "/sign-in", {"key": id_, "secret": secret}, stay=True)
    cookie = answer.headers["Set-Cookie"]
    assert re.fullmatch(r"alfine-\d+=[\w-]{43}; HttpOnly; Max-Age=28800; Path=/console; SameSite=strict", cookie)
    assert secret not in cookie


def test_a_wrong_key_is_refused_and_never_shown(locked):
    id_, secret = locked.key
    for key in ((id_, secret + "x"), ("AKIA" + "Q" * 16, secret), ("", ""), (id_, "")):
        visitor, page = signed_in(locked, key)
        assert page.status == 403
        assert "That isn't one of this server's access keys." in page.text
        assert secret not in page.body
        assert visitor.cookies == {}


def test_a_session_ends_by_its_button_and_its_token_is_worth_nothing_then(locked):
    visitor, _ = signed_in(locked)
    kept = dict(visitor.cookies)
    assert "Sign in" in visitor.submit("/console/", "/sign-out").text
    visitor.cookies = kept
    assert visitor.get("/console/").url.startswith("/console/sign-in")


def test_a_session_ends_with_its_key(locked):
    id_, secret = key_of(locked.home)
    visitor, page = signed_in(locked, (id_, secret))
    assert page.url == "/console/"
    keys(locked.home, "delete", id_)
    assert visitor.get("/console/").url.startswith("/console/sign-in")


def test_another_sessions_form_token_is_refused(locked):
    (one, _), (other, _) = signed_in(locked), signed_in(locked)
    token = re.search(r'name="token" value="([^"]+)"', one.get("/console/").body)[1]
    assert other.post("/console/sign-out", {"token": token}).status == 403
    assert other.get("/console/").status == 200


def test_a_session_is_no_way_around_signatures(locked):
    """Only pages are for browsers: AWS's operations and alfine's documents want a signature all the same."""
    visitor, _ = signed_in(locked)
    assert "MissingAuthenticationToken" in visitor.get("/_alfine/tuning-jobs").body
    assert visitor.get("/a-bucket/a-key").status == 403
    assert visitor.get("/console/x", **{"X-Amz-Date": "x"}).status in (400, 403)


def test_secrets_of_the_sign_in_page_are_in_no_log(tmp_path):
    server = Locked(tmp_path)
    id_, secret = server.key
    signed_in(server)
    signed_in(server, (id_, f"{secret}x"))
    server.process.terminate()
    said, _ = server.process.communicate(timeout=40)
    assert secret not in said


# ---- sessions themselves, at other addresses and other times


def request(address="127.0.0.1", scheme="http", token=""):
    headers = [(b"host", b"there:8765"), (b"cookie", f"alfine-8765={token}".encode())]
    return Request(
        {
            "type": "http",
            "method": "POST",
            "scheme": scheme,
            "path": "/console/sign-in",
            "query_string": b"",
            "headers": headers,
            "client": (address, 40000),
            "server": ("there", 8765),
        }
    )


class Clock:
    now = 0.0

    def __call__(self):
        return datetime.fromtimestamp(self.now, UTC)


@pytest.fixture
def tokens(database_url):
    store = Store(database_url)
    yield ConsoleTokens(store.database)
    store.close()


@pytest.fixture
def opened(tmp_path, tokens):
    """The sessions of a server, their clock, and a key of the home."""
    clock, keys = Clock(), KeyFiles(tmp_path)
    return Sessions(keys, tokens, is_open=False, clock=clock), clock, keys.create(datetime.now(UTC))


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::1"])
def test_no_secret_is_taken_over_plain_http_from_another_machine(opened, address):
    sessions, _, key = opened
    with pytest.raises(SignInRefused, match="Over plain HTTP others could read the key"):
        sessions.sign_in(request(address), key.id, key.secret)
    assert sessions.sign_in(request(address, "https"), key.id, key.secret)


def test_a_session_ends_after_a_while(opened):
    sessions, clock, key = opened
    token = sessions.sign_in(request(), key.id, key.secret)
    clock.now = SESSION_SECONDS - 1
    assert sessions.session(request(token=token)).key == key.id
    clock.now = SESSION_SECONDS + 1
    assert sessions.session(request(token=token)) is None


def test_an_address_that_guesses_waits_and_others_dont(opened):
    sessions, clock, key = opened
    for _ in range(MOST_FAILURES):
        with pytest.raises(SignInRefused, match="That isn't one"):
            sessions.sign_in(request("2001:db8::1", "https"), key.id, "guess")
    with pytest.raises(SignInRefused, match="Too many wrong keys") as error:
        sessions.sign_in(request("2001:db8::2", "https"), key.id, key.secret)  # of the same network
    assert error.value.status == 429
    assert sessions.sign_in(request("2001:db9::1", "https"), key.id, key.secret)
    clock.now = FAILURE_SECONDS + 1
    assert sessions.sign_in(request("2001:db8::1", "https"), key.id, key.secret)


def test_over_https_the_cookie_is_for_https_alone(opened):
    response = Response()
    Sessions.set_cookie(request(scheme="https"), response, "token")
    assert "; Secure" in response.headers["set-cookie"]


def test_without_keys_nobody_has_a_session_and_on_an_open_server_everybody(tmp_path, tokens):
    assert Sessions(KeyFiles(tmp_path), tokens, is_open=False).session(request()) is None
    opened = [Sessions(KeyFiles(tmp_path), tokens, is_open=True).session(request()) for _ in range(2)]
    assert opened[0] == opened[1] is not None  # a page of one server may send its form to another


def test_a_link_opens_one_session_once_within_an_hour(opened):
    sessions, clock, key = opened
    first, second, third = (sessions.links.new(key.id) for _ in range(3))
    token = sessions.follow(request(), first)
    assert sessions.session(request(token=token)).key == key.id
    with pytest.raises(SignInRefused, match="was opened before"):
        sessions.follow(request(), first)
    with pytest.raises(SignInRefused, match="Over plain HTTP"):
        sessions.follow(request("192.0.2.7"), second)
    assert sessions.follow(request("192.0.2.7", "https"), second)
    clock.now = LINK_SECONDS + 1
    with pytest.raises(SignInRefused, match="has ended"):
        sessions.follow(request(), third)
    with pytest.raises(SignInRefused):
        sessions.follow(request(), "")


def test_sessions_links_and_forms_hold_at_every_server_of_the_database(opened, tokens):
    sessions, clock, key = opened
    other = Sessions(sessions.keys, tokens, is_open=False, clock=clock)
    token = sessions.follow(request(), other.links.new(key.id))
    assert other.session(request(token=token)) == sessions.session(request(token=token))
    assert other.anonymous == sessions.anonymous
    other.sign_out(request(token=token))
    assert sessions.session(request(token=token)) is None


def test_a_session_of_a_link_ends_with_the_key_that_asked_for_it(opened):
    sessions, _, key = opened
    token = sessions.follow(request(), sessions.links.new(key.id))
    sessions.keys.delete(key.id)
    assert sessions.session(request(token=token)) is None
