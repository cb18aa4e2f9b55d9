"""Who asks, and may they: credentials as clients send them, good and bad."""

from base64 import b64encode

from twisted.web.http_headers import Headers

from pypid.access.open import OpenAccess
from pypid.access.private import PrivateAccess
from pypid.auth.memory import MemoryAuthenticator
from pypid.errors import Forbidden, StorageUnavailable, Unauthenticated
from pypid.model import Action, Credentials, Limits, Principal, Role
from pypid.testing.builds import wheel
from pypid.testing.fakes import Synchronous
from pypid.testing.steps import publication
from pypid.testing.web import MemorySite, basic
from pypid.web.authorization import Authorization

ALICE = Principal("alice")


class Recording:
    """Remembers what it was asked."""

    def __init__(self, users: dict[str, str]) -> None:
        self._users = MemoryAuthenticator(users)
        self.asked: list[Credentials] = []

    def is_usable(self) -> bool:
        """Say yes."""
        return True

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Remember, and then answer."""
        self.asked.append(credentials)
        return await self._users.authenticate(credentials)


class Busy:
    """Cannot tell."""

    def is_usable(self) -> bool:
        """Say yes."""
        return True

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Ask for patience."""
        raise StorageUnavailable("too many sign-ins at once; try again")


def header(value: bytes) -> Headers:
    """Give the headers of a request with an Authorization."""
    return Headers({b"Authorization": [value]})


def encoded(credentials: bytes) -> bytes:
    """Give the value of an Authorization header of the Basic scheme."""
    return b"Basic " + b64encode(credentials)


class CredentialsTests(Synchronous):
    """What is asked of the authenticators, and what is not even asked."""

    def setUp(self) -> None:
        self.users = Recording({"alice": "correct horse", "zoë": "a:b:c", "": "token"})
        self.authorization = Authorization([self.users], OpenAccess())

    def principal(self, value: bytes) -> Principal | None:
        return self.result(self.authorization.principal(header(value)))

    def refused(self, *values: bytes) -> None:
        """Check that each is refused without anybody having been asked."""
        for value in values:
            self.failure(self.authorization.principal(header(value)), Unauthenticated)
        self.assertEqual(self.users.asked, [])

    def test_nobody(self) -> None:
        """No header, no principal, and nobody is asked."""
        self.assertIsNone(self.result(self.authorization.principal(Headers())))
        self.assertEqual(self.users.asked, [])

    def test_somebody(self) -> None:
        self.assertEqual(self.principal(encoded(b"alice:correct horse")), ALICE)

    def test_a_password_may_have_colons_and_letters_of_all_kinds(self) -> None:
        """The first colon ends the name; both are UTF-8 (RFC 7617, section 2.1)."""
        self.assertEqual(self.principal(encoded("zoë:a:b:c".encode())), Principal("zoë"))

    def test_a_token_may_come_without_a_name(self) -> None:
        self.assertEqual(self.principal(encoded(b":token")), Principal(""))

    def test_b112_auth_empty(self) -> None:
        self.refused(
            b"", b"Basic", b"Basic ", b"Basic !!!!", b"Basic YTpi!", b"Basic YTp", b"Basic YTpi YTpi"
        )
        self.refused(encoded(b""), encoded(b"alice"), encoded(b"alice")[:-1])

    def test_b112_url_safe_base64_is_another_alphabet(self) -> None:
        self.refused(b"Basic YWxpY2U6Pz8_")

    def test_b113_auth_nonutf8(self) -> None:
        self.refused(encoded(b"\xff\xfe:x"), encoded(b"alice:\xff\xfe"), encoded("alice:é".encode("latin-1")))

    def test_b114_auth_nul(self) -> None:
        self.refused(
            *[encoded(b"a%c:x" % byte) for byte in range(32)], encoded(b"alice:\0"), encoded(b"a\x7f:x")
        )

    def test_b115_auth_73(self) -> None:
        """Long passwords are the authenticators' affair."""
        for length in (72, 73, 4000):
            self.failure(
                self.authorization.principal(header(encoded(b"alice:" + b"x" * length))), Unauthenticated
            )
        self.assertEqual(len(self.users.asked), 3)

    def test_b116_auth_64k(self) -> None:
        self.refused(encoded(b"alice:" + b"x" * 12_000), b"Basic " + b"=" * 64_000, b"Basic " * 10_000)

    def test_b118_auth_scheme(self) -> None:
        credentials = b64encode(b"alice:correct horse")
        for scheme in (
            b"Digest ",
            b"Negotiate ",
            b"Bearer a b ",
            b"Bearer \xff",
            b"Basic\t",
            b"BasicX ",
            b'"Basic" ',
        ):
            self.refused(scheme + credentials)
        for scheme in (b"basic ", b"BASIC ", b"Basic   "):
            self.assertEqual(self.principal(scheme + credentials), ALICE)

    def test_a_bearer_token_comes_without_a_name(self) -> None:
        """It is sent as it is, not encoded (RFC 6750, section 2.1)."""
        for scheme in (b"Bearer ", b"bearer ", b"BEARER  "):
            self.assertEqual(self.principal(scheme + b"token"), Principal(""))
        self.failure(self.authorization.principal(header(b"Bearer other")), Unauthenticated)

    def test_nothing_secret_is_in_what_is_said_of_credentials(self) -> None:
        """Neither in the error nor in the value that is handed on."""
        for value in (
            encoded(b"x:canary"),
            encoded(b"canary\0:canary"),
            b"Bearer canary",
            b"Basic canary",
        ):
            said = self.failure(self.authorization.principal(header(value)), Unauthenticated)
            self.assertNotIn("canary", said)
        self.assertEqual(len(self.users.asked), 2)
        self.assertNotIn("canary", repr(self.users.asked))


class SeveralTests(Synchronous):
    """Several authenticators are asked in order."""

    def setUp(self) -> None:
        self.first = Recording({"alice": "one"})
        self.second = Recording({"alice": "two", "bob": "three"})
        self.authorization = Authorization([self.first, self.second], OpenAccess())

    def principal(self, username: str, password: str) -> Principal | None:
        value = encoded(f"{username}:{password}".encode())
        return self.result(self.authorization.principal(header(value)))

    def test_the_first_that_knows_ends_it(self) -> None:
        self.assertEqual(self.principal("alice", "one"), ALICE)
        self.assertEqual((len(self.first.asked), len(self.second.asked)), (1, 0))

    def test_the_next_is_asked_when_the_first_does_not_know(self) -> None:
        self.assertEqual(self.principal("alice", "two"), ALICE)
        self.assertEqual(self.principal("bob", "three"), Principal("bob"))
        self.assertEqual(self.first.asked, self.second.asked)

    def test_nobody_knows(self) -> None:
        value = encoded(b"bob:one")
        self.failure(self.authorization.principal(header(value)), Unauthenticated)
        self.assertEqual((len(self.first.asked), len(self.second.asked)), (1, 1))

    def test_one_that_cannot_tell_is_not_passed_over(self) -> None:
        """Else somebody might be taken for another of that name."""
        self.authorization = Authorization([Busy(), self.second], OpenAccess())
        self.failure(self.authorization.principal(header(encoded(b"bob:three"))), StorageUnavailable)
        self.assertEqual(self.second.asked, [])

    def test_without_any_credentials_are_of_no_use(self) -> None:
        """An installer that sends them to every index is not turned away from a public one."""
        authorization = Authorization([], OpenAccess())
        self.assertIsNone(self.result(authorization.principal(header(encoded(b"alice:one")))))


class Nothing(OpenAccess):
    """Lets nobody do anything."""

    def permits(
        self, principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        return False


class RequireTests(Synchronous):
    """Whether to ask for a sign-in, or to say that none would help."""

    def setUp(self) -> None:
        self.users = [MemoryAuthenticator({"alice": "one"})]

    def test_permitted(self) -> None:
        Authorization(self.users, OpenAccess()).require(None, Action.READ, "foo")
        Authorization(self.users, OpenAccess()).require(ALICE, Action.UPLOAD, None)
        Authorization(self.users, PrivateAccess()).require(ALICE, Action.READ, None)

    def test_a_stranger_may_sign_in(self) -> None:
        for policy, action in [(OpenAccess(), Action.UPLOAD), (PrivateAccess(), Action.READ)]:
            with self.assertRaisesRegex(Unauthenticated, f"to {action.value} here, sign in"):
                Authorization(self.users, policy).require(None, action, "foo")

    def test_a_user_is_told_no(self) -> None:
        with self.assertRaisesRegex(Forbidden, "alice may not upload here: not permitted for project foo"):
            Authorization(self.users, Nothing()).require(ALICE, Action.UPLOAD, "foo")
        with self.assertRaisesRegex(Forbidden, "this index"):
            Authorization(self.users, Nothing()).require(ALICE, Action.READ, None)

    def test_where_nobody_can_sign_in_it_is_no_use_to_ask(self) -> None:
        for policy in (OpenAccess(), PrivateAccess(), Nothing()):
            with self.assertRaisesRegex(Forbidden, "user add NAME"):
                Authorization([], policy).require(None, Action.UPLOAD, None)

    def test_public(self) -> None:
        self.assertTrue(Authorization([], OpenAccess()).is_public("foo"))
        self.assertFalse(Authorization([], PrivateAccess()).is_public(None))


class AnswerTests(Synchronous):
    """What of it is seen from outside."""

    def setUp(self) -> None:
        self.site = MemorySite()

    def test_t46_no_401_tells_who_there_is(self) -> None:
        """Unknown user and wrong password have one and the same answer, on every page."""
        for path in ("/", "/simple/", "/simple/nowhere/", "/packages/a/a-1.0.tar.gz"):
            seen = []
            for username, password in [
                ("ci", "wrong"),
                ("ci", ""),
                ("nobody", "wrong"),
                ("nobody", "secret"),
            ]:
                answer = self.site.request("GET", path, basic(username, password))
                answer.headers.pop("Date")
                seen.append(answer)
            self.assertEqual(seen[0].status, 401)
            self.assertEqual([each for each in seen if each != seen[0]], [])

    def test_b112_to_b118_are_401_with_a_challenge(self) -> None:
        values = [
            "",
            "Basic",
            "Basic !!!!",
            "Basic YWxpY2U=",
            "Basic //46//4=",
            "Basic YQA6eA==",
            "Digest a=b",
        ]
        values += ["Negotiate YWJj", "Bearer a b c", basic("ci", "x" * 73)["Authorization"]]
        values += [basic("ci", "x" * 11_000)["Authorization"]]
        for value in values:
            for method, path in [("GET", "/simple/"), ("HEAD", "/simple/"), ("POST", "/legacy/")]:
                answer = self.site.request(method, path, {"Authorization": value})
                self.assertEqual(answer.status, 401, value)
                self.assertEqual(answer.headers["WWW-Authenticate"], 'Basic realm="pypi", charset="UTF-8"')
                self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_busy_is_503(self) -> None:
        self.site = MemorySite(authenticators=[Busy()])
        answer = self.site.request("GET", "/simple/", basic("ci", "secret"))
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "5"))

    def test_private(self) -> None:
        """Strangers learn nothing but that it is there, whether there are users or not."""
        for authenticators, status in [([MemoryAuthenticator({"ci": "secret"})], 401), ([], 403)]:
            self.site = MemorySite(policy=PrivateAccess(), authenticators=authenticators)
            for path in ("/", "/simple/", "/simple/nowhere/", "/packages/a/a-1.0.tar.gz"):
                self.assertEqual(self.site.get(path).status, status, path)
            self.assertEqual(self.site.request("POST", "/legacy/").status, status)
            self.assertEqual(self.site.get("/+health").status, 200)

    def test_private_pages_are_for_users(self) -> None:
        self.site = MemorySite(policy=PrivateAccess())
        answer = self.site.request("GET", "/simple/", basic("ci", "secret"))
        self.assertEqual((answer.status, answer.headers["Cache-Control"]), (200, "private, no-cache"))
        self.assertIn("Authorization", answer.headers["Vary"])
        self.assertEqual(self.site.request("GET", "/simple/nowhere/", basic("ci", "secret")).status, 404)


class _Limited:
    """Lets in whoever has a token for reading what is Acme's."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def is_usable(self) -> bool:
        """Say yes."""
        return True

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Know everybody."""
        return Principal(credentials.username, Limits(frozenset({Action.READ}), ("acme-*",)))


class LimitedTests(Synchronous):
    """A token shows no more than what it is for."""

    def test_the_list_of_files_is_that_of_the_projects_of_a_token(self) -> None:
        site = MemorySite(authenticators=[_Limited()], policy=PrivateAccess())
        for filename, content in (wheel("acme-lib", "1.0"), wheel("secret", "1.0")):
            staging = self.result(site.storage.stage())
            staging.write(content)
            self.result(staging.publish(publication(filename, content)))
        page = site.request("GET", "/packages/", basic("ci", "token")).text
        self.assertIn("acme_lib-1.0-py3-none-any.whl", page)
        self.assertNotIn("secret", page)
