"""Authentication and permission: credentials as clients send them, right and wrong."""

from base64 import b64encode
from datetime import UTC, datetime
from itertools import product
from types import SimpleNamespace
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.web.http_headers import Headers

from pypid.access.open import OpenAccess, PrivateAccess
from pypid.auth.memory import MemoryAuthenticator
from pypid.errors import Forbidden, StorageUnavailable, TooManyFailures, Unauthenticated
from pypid.formats.api_tokens import new
from pypid.model import Action, Credentials, Principal, Role
from pypid.testing.fakes import Synchronous
from pypid.testing.web import MemorySite, basic
from pypid.web.permissions.authorization import Authorization
from pypid.web.permissions.login_throttle import LIMIT
from pypid.web.permissions.sign_in_queue import MAX_ACTIVE_EACH, MAX_WAITING_EACH

ALICE = Principal("alice")


class Recording:
    """Remembers what it was asked."""

    def __init__(self, users: dict[str, str]) -> None:
        self._users = MemoryAuthenticator(users)
        self.asked: list[Credentials] = []

    def is_usable(self) -> bool:
        """Say yes."""
        return True

    async def revision(self) -> object:
        """Have nobody remembered."""
        return object()

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Remember, and then answer."""
        self.asked.append(credentials)
        return await self._users.authenticate(credentials)


class Busy:
    """Cannot tell."""

    def is_usable(self) -> bool:
        """Say yes."""
        return True

    async def revision(self) -> object:
        """Have nobody remembered."""
        return object()

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Ask for patience."""
        raise StorageUnavailable("too many sign-ins at once; try again")


def asking(value: bytes | None, host: str = "192.0.2.1") -> Any:
    """Return a request with such an Authorization, or with none."""
    headers = Headers({b"Authorization": [value]} if value is not None else None)
    client = IPv4Address("TCP", host, 50000)
    return SimpleNamespace(requestHeaders=headers, getClientAddress=lambda: client)


def encoded(credentials: bytes) -> bytes:
    """Return the value of an Authorization header of the Basic scheme."""
    return b"Basic " + b64encode(credentials)


class CredentialsTests(Synchronous):
    """What is asked of the authenticators, and what is not even asked."""

    def setUp(self) -> None:
        self.users = Recording({"alice": "correct horse", "zoë": "a:b:c", "": "token"})
        self.authorization = Authorization([self.users], OpenAccess())

    def principal(self, value: bytes) -> Principal | None:
        return self.result(self.authorization.principal(asking(value)))

    def refused(self, *values: bytes) -> None:
        """Check that each is refused without anybody having been asked."""
        for value in values:
            self.failure(self.authorization.principal(asking(value)), Unauthenticated)
        self.assertEqual(self.users.asked, [])

    def test_nobody(self) -> None:
        """No header, no principal, and nobody is asked."""
        self.assertIsNone(self.result(self.authorization.principal(asking(None))))
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
                self.authorization.principal(asking(encoded(b"alice:" + b"x" * length))), Unauthenticated
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
        self.failure(self.authorization.principal(asking(b"Bearer other")), Unauthenticated)

    def test_fault_c7_blanks_around_a_token_are_not_of_it(self) -> None:
        """Nor is a line end, as a paste or a file of secrets leaves it; by whatever carrier it comes."""
        text = new("alice", {Action.UPLOAD}, [], datetime(2026, 11, 21, tzinfo=UTC), None)[0]
        for before, after in product(("", " ", "\t"), ("", " ", "\n", "\r\n", " \n")):
            around = f"{before}{text}{after}"
            for carried in (f"__token__:{around}", f"alice:{around}", f"{around}:", f":{around}"):
                self.users.asked.clear()
                self.failure(self.authorization.principal(asking(encoded(carried.encode()))), Unauthenticated)
                asked = [(one.username, one.password) for one in self.users.asked]
                name = carried.partition(":")[0].strip()
                self.assertEqual(asked, [(text, "")] if name == text else [(name, text)], carried)
            self.authorization = Authorization([self.users], OpenAccess())
        self.users.asked.clear()
        for spelled in (b"Bearer  %s", b"Bearer %s ", b"Bearer\x20\t%s\t"):
            self.failure(self.authorization.principal(asking(spelled % text.encode())), Unauthenticated)
            self.assertEqual(self.users.asked[-1], Credentials("", text))

    def test_fault_c7_a_password_keeps_its_blanks(self) -> None:
        """Only what is a token, or says to be one, has none."""
        for password in (" correct horse", "correct horse ", " ", " pypid_x"):
            value = encoded(f"alice:{password}".encode())
            self.failure(self.authorization.principal(asking(value)), Unauthenticated)
            self.assertEqual(self.users.asked[-1], Credentials("alice", password))
        self.users.asked.clear()
        self.refused(encoded(b"alice:correct horse\n"), encoded(b"alice\n:correct horse"))
        self.failure(self.authorization.principal(asking(encoded(b"__token__: other\n"))), Unauthenticated)
        self.assertEqual(self.users.asked, [Credentials("__token__", "other")])

    def test_nothing_secret_is_in_what_is_said_of_credentials(self) -> None:
        """Neither in the error nor in the value that is handed on."""
        for value in (
            encoded(b"x:canary"),
            encoded(b"canary\0:canary"),
            b"Bearer canary",
            b"Basic canary",
        ):
            said = self.failure(self.authorization.principal(asking(value)), Unauthenticated)
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
        return self.result(self.authorization.principal(asking(value)))

    def test_the_first_that_knows_ends_it(self) -> None:
        self.assertEqual(self.principal("alice", "one"), ALICE)
        self.assertEqual((len(self.first.asked), len(self.second.asked)), (1, 0))

    def test_the_next_is_asked_when_the_first_does_not_know(self) -> None:
        self.assertEqual(self.principal("alice", "two"), ALICE)
        self.assertEqual(self.principal("bob", "three"), Principal("bob"))
        self.assertEqual(self.first.asked, self.second.asked)

    def test_nobody_knows(self) -> None:
        value = encoded(b"bob:one")
        self.failure(self.authorization.principal(asking(value)), Unauthenticated)
        self.assertEqual((len(self.first.asked), len(self.second.asked)), (1, 1))

    def test_one_that_cannot_tell_is_not_passed_over(self) -> None:
        """Else somebody might be taken for another of that name."""
        self.authorization = Authorization([Busy(), self.second], OpenAccess())
        self.failure(self.authorization.principal(asking(encoded(b"bob:three"))), StorageUnavailable)
        self.assertEqual(self.second.asked, [])

    def test_without_any_credentials_are_of_no_use(self) -> None:
        """An installer that sends them to every index is not turned away from a public one."""
        authorization = Authorization([], OpenAccess())
        self.assertIsNone(self.result(authorization.principal(asking(encoded(b"alice:one")))))


class Remembering(Recording):
    """Has successes remembered until it is told to change, and takes its time when it is told to."""

    def __init__(self, users: dict[str, str]) -> None:
        super().__init__(users)
        self.slow: Deferred[None] | None = None
        self.change()

    def change(self) -> None:
        """Have all successes forgotten."""
        self._revision = object()

    async def revision(self) -> object:
        """Return the same value until :meth:`change` is called."""
        return self._revision

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Take the time that it takes."""
        if self.slow is not None:
            await self.slow
        return await super().authenticate(credentials)


class GuessingTests(Synchronous):
    """T47: who guesses is stopped, and nobody else."""

    def setUp(self) -> None:
        self.users = Remembering({"alice": "right", "bob": "right"})
        self.authorization = Authorization([self.users], OpenAccess())

    def ask(self, username: str, password: str, host: str = "192.0.2.1") -> str:
        """Return the outcome of a user's sign-in."""
        request = asking(encoded(f"{username}:{password}".encode()), host)
        outcome = Deferred.fromCoroutine(self.authorization.principal(request))
        outcome.addCallbacks(lambda _: "known", lambda failure: failure.type.__name__)
        return str(self.successResultOf(outcome))

    def guess(self, username: str = "alice", password: str = "wrong") -> None:
        """Be wrong as often as one may."""
        for number in range(LIMIT):
            self.assertEqual(self.ask(username, f"{password}{number}"), "Unauthenticated")

    def test_a_guesser_is_stopped_whatever_comes_next(self) -> None:
        """Not even the right password is tried, so no guess tells anything."""
        self.guess()
        asked = len(self.users.asked)
        for password in ("wrong", "right"):
            self.assertEqual(self.ask("alice", password), "TooManyFailures")
        self.assertEqual(len(self.users.asked), asked)

    def test_others_are_not(self) -> None:
        """Neither others at the same address, nor the user from another one."""
        self.guess()
        self.assertEqual(self.ask("bob", "right"), "known")
        self.assertEqual(self.ask("alice", "right", "192.0.2.2"), "known")

    def test_whoever_is_remembered_gets_in_from_the_same_address(self) -> None:
        self.assertEqual(self.ask("alice", "right"), "known")
        self.guess()
        self.assertEqual(self.ask("alice", "right"), "known")
        self.assertEqual(self.ask("alice", "wrong"), "TooManyFailures")

    def test_being_right_makes_good(self) -> None:
        for _ in range(3):
            self.users.change()
            for number in range(LIMIT - 1):
                self.ask("alice", f"{number}")
            self.assertEqual(self.ask("alice", "right"), "known")

    def test_unknown_users_are_counted_alike(self) -> None:
        """Else the answer would tell who there is."""
        self.guess("nobody")
        self.assertEqual(self.ask("nobody", "wrong"), "TooManyFailures")

    def test_a_no_counts_once_however_many_say_it(self) -> None:
        """And a user of the second is not wrong because the first does not know them."""
        second = Remembering({"carol": "right"})
        self.authorization = Authorization([self.users, second], OpenAccess())
        for _ in range(LIMIT + 1):
            second.change()
            self.assertEqual(self.ask("carol", "right"), "known")
        self.guess()

    def test_tokens_alone_are_one_guesser(self) -> None:
        """Whatever they are; they are not kept as if they were names."""
        for number in range(LIMIT):
            value = b"Bearer %d" % number if number % 2 else encoded(b"canary%d:" % number)
            self.failure(self.authorization.principal(asking(value)), Unauthenticated)
        self.failure(self.authorization.principal(asking(b"Bearer x")), TooManyFailures)
        self.assertNotIn("canary", repr(self.authorization.throttle))

    def test_a_guess_counts_when_nobody_waits_for_the_answer(self) -> None:
        self.users.slow = Deferred()
        for number in range(LIMIT):
            request = asking(encoded(b"alice:%d" % number))
            waiting = Deferred.fromCoroutine(self.authorization.principal(request))
            waiting.cancel()
            self.failureResultOf(waiting, CancelledError)
        self.users.slow.callback(None)
        self.users.slow = None
        self.assertEqual(self.ask("alice", "wrong"), "TooManyFailures")

    def test_fault_a9_a_password_that_was_right_before_is_checked_all_the_same(self) -> None:
        """From the address of whoever guesses, as behind a proxy; which does not help the guesser."""
        self.assertEqual(self.ask("alice", "right"), "known")
        self.guess()
        for _ in range(3):
            self.users.change()
            self.assertEqual(self.ask("alice", "wrong"), "TooManyFailures")
            self.assertEqual(self.ask("alice", "right"), "known")

    def test_fault_a9_a_password_that_is_right_no_more_is_a_guess(self) -> None:
        """The first time too, so a machine with an old one is stopped."""
        self.assertEqual(self.ask("alice", "right"), "known")
        self.users = Remembering({"alice": "new"})
        self.authorization.authenticators[:] = [self.users]  # type: ignore[index]
        for _ in range(LIMIT):
            self.assertEqual(self.ask("alice", "right"), "Unauthenticated")
        self.assertEqual(self.ask("alice", "right"), "TooManyFailures")

    def test_fault_a9_nothing_of_a_password_is_kept_that_could_be_seen(self) -> None:
        self.assertEqual(self.ask("alice", "right"), "known")
        self.assertNotIn("right", repr(self.authorization))

    def test_fault_a9_who_makes_names_up_keeps_nobody_from_signing_in(self) -> None:
        """He has a share of the checks; of what he is refused nobody else is forgotten."""
        slow = self.users.slow = Deferred()
        waiting = [
            Deferred.fromCoroutine(self.authorization.principal(asking(encoded(b"guess-%d:x" % number))))
            for number in range(80)
        ]
        refused = [one for one in waiting if one.called]
        for one in refused:
            self.failureResultOf(one, StorageUnavailable)
        self.assertEqual(len(waiting) - len(refused), MAX_ACTIVE_EACH + MAX_WAITING_EACH)
        self.assertEqual(len(self.authorization.throttle._attempts), MAX_ACTIVE_EACH + MAX_WAITING_EACH)
        other = Deferred.fromCoroutine(
            self.authorization.principal(asking(encoded(b"bob:right"), "192.0.2.2"))
        )
        slow.callback(None)
        self.assertEqual(self.successResultOf(other), Principal("bob"))
        for one in waiting:
            if one not in refused:
                self.failureResultOf(one, Unauthenticated)

    def test_fault_a9_who_was_known_has_a_share_of_their_own(self) -> None:
        """Also at the address that is full of guessers."""
        self.assertEqual(self.ask("alice", "right"), "known")
        self.users.change()
        slow = self.users.slow = Deferred()
        waiting = [
            Deferred.fromCoroutine(self.authorization.principal(asking(encoded(b"guess-%d:x" % number))))
            for number in range(80)
        ]
        alice = Deferred.fromCoroutine(self.authorization.principal(asking(encoded(b"alice:right"))))
        slow.callback(None)
        self.assertEqual(self.successResultOf(alice), ALICE)
        for one in waiting:
            self.failureResultOf(one)

    def test_those_under_way_count(self) -> None:
        """No more are looked at because they come at once; but equal ones are one."""
        slow = self.users.slow = Deferred()
        waiting = []
        for number in range(3 * LIMIT):
            request = asking(encoded(b"alice:%d" % (number // 2)))
            waiting.append(Deferred.fromCoroutine(self.authorization.principal(request)))
        late = waiting[2 * LIMIT :]
        for one in late:
            self.failureResultOf(one, TooManyFailures)
        slow.callback(None)
        for one in waiting[: 2 * LIMIT]:
            self.failureResultOf(one, Unauthenticated)
        self.assertEqual(len(self.users.asked), LIMIT)

    def test_a_burst_of_a_user_is_no_failure(self) -> None:
        """Though none of the requests is remembered yet, and others were wrong."""
        for number in range(LIMIT - 1):
            self.ask("alice", f"{number}")
        slow = self.users.slow = Deferred()
        request = asking(encoded(b"alice:right"))
        waiting = [Deferred.fromCoroutine(self.authorization.principal(request)) for _ in range(LIMIT)]
        slow.callback(None)
        self.assertEqual([self.successResultOf(one) for one in waiting], [ALICE] * LIMIT)

    def test_one_that_cannot_tell_did_not_say_no(self) -> None:
        self.authorization = Authorization([Busy()], OpenAccess())
        for _ in range(LIMIT + 1):
            self.failure(self.authorization.principal(asking(encoded(b"alice:x"))), StorageUnavailable)

    def test_where_nobody_can_sign_in_nobody_attempts(self) -> None:
        authorization = Authorization([MemoryAuthenticator({})], OpenAccess())
        for _ in range(LIMIT + 1):
            self.assertIsNone(self.result(authorization.principal(asking(encoded(b"alice:x")))))


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

    def test_t47_c115_c149_too_many_wrong_passwords_are_429(self) -> None:
        """With whole seconds to wait; on every page, for uploads too; and the right one gets in later."""
        site = MemorySite(authenticators=[Remembering({"ci": "secret"})])
        for number in range(LIMIT):
            self.assertEqual(site.request("GET", "/simple/", basic("ci", f"{number}")).status, 401)
            site.reactor.advance(0.25)
        for method, path in [("GET", "/simple/"), ("HEAD", "/simple/"), ("POST", "/legacy/"), ("GET", "/")]:
            answer = site.request(method, path, basic("ci", "secret"))
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "298"))
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertNotIn("WWW-Authenticate", answer.headers)
        self.assertEqual(site.request("GET", "/simple/").status, 200)
        site.reactor.advance(298)
        self.assertEqual(site.request("GET", "/simple/", basic("ci", "secret")).status, 200)

    def test_the_realm_is_as_configured(self) -> None:
        site = MemorySite(policy=PrivateAccess(), realm="Acme's index")
        for method, path in [("GET", "/simple/"), ("POST", "/legacy/")]:
            challenge = site.request(method, path).headers["WWW-Authenticate"]
            self.assertEqual(challenge, 'Basic realm="Acme\'s index", charset="UTF-8"')

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
