"""What every store keeps to, whatever database is behind it: inherit, and say which store."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from operator import methodcaller
from threading import Thread
from typing import Any, TypeVar
from unittest import mock

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store import values as v
from tests.store.values import NOW

from deputize.protocol.agent import Assurance
from deputize.protocol.block import Block
from deputize.protocol.call import LIFETIME, OVERDUE, TRANSITIONS, Call, State
from deputize.protocol.canonical import Json, unb64u
from deputize.protocol.challenge import MAX_ATTEMPTS, Enrolling, Inside, NewUser, Purpose, Subject
from deputize.protocol.constraint import Constraints, Use
from deputize.protocol.errors import Code, Refused
from deputize.protocol.grant import TRANSITIONS as GRANT_TRANSITIONS
from deputize.protocol.grant import GrantState
from deputize.protocol.ids import NO_KEY, ClientId, UserId
from deputize.protocol.merkle import Frontier, leaf_hash
from deputize.protocol.merkle import root as root_of
from deputize.protocol.phone import Phone
from deputize.protocol.prompt import Decline, Quiet
from deputize.protocol.question import Asked, Question, Surface, Text
from deputize.protocol.quota import Quota, Rate
from deputize.protocol.request import MOVES, Status
from deputize.protocol.scope import ScopeSet
from deputize.protocol.tiles import WIDTH, Tree
from deputize.service.ports import Health, Listed, Reader, Store, Tx, Waiting, Wanted
from deputize.store import transaction

T = TypeVar("T")
NUMBERS = count()
"""For names that no other example has had."""


class Oops(Exception):
    pass


def seen(store: Store, fn: Callable[[Reader], T]) -> T:
    return asyncio.run(store.read(fn))


def glanced(store: Store, fn: Callable[[Reader], T]) -> T:
    return asyncio.run(store.glance(fn))


def do(store: Store, fn: Callable[[Tx], T]) -> T:
    async def run() -> T:
        async with asyncio.timeout(60):  # an answer that never comes fails a test, and hangs none
            return await store.transact(fn)

    return asyncio.run(run())


def do_all(store: Store, fns: list[Callable[[Tx], Any]]) -> list[Any]:
    """Hand in all at once; return what each returned or raised."""

    async def run() -> list[Any]:
        async with asyncio.timeout(60):
            return await asyncio.gather(*(store.transact(fn) for fn in fns), return_exceptions=True)

    return asyncio.run(run())


def raising(error: BaseException, fn: Callable[[Tx], object]) -> Callable[[Tx], object]:
    def run(tx: Tx) -> object:
        fn(tx)
        raise error

    return run


def prepare(tx: Tx) -> None:
    """Store the rows that others refer to."""
    for name in ("ada", "bob"):
        tx.add(v.user(name))
    tx.add(v.agent())
    tx.add(v.agent("other"))


def do_elsewhere(store: Store, fn: Callable[[Tx], object]) -> None:
    """Run a transaction while this thread is inside a read."""
    thread = Thread(target=do, args=(store, fn))
    thread.start()
    thread.join()


def listed(store: Store, wanted: Wanted, limit: int) -> list[list[Call]]:
    """Go through all pages."""
    pages = []
    while True:
        page = seen(store, methodcaller("calls", v.user_id(), wanted, limit, NOW))
        pages.append(page.calls)
        if page.more is None:
            return pages
        wanted = replace(wanted, before=page.more)


class StoreContract:
    @pytest.fixture
    def empty(self) -> Iterator[Store]:
        raise NotImplementedError

    @pytest.fixture
    def store(self, empty: Store) -> Store:
        do(empty, prepare)
        return empty

    def test_ready_1_it_is_well(self, store: Store) -> None:
        assert asyncio.run(store.health()) == Health(None, checking=False)

    # Transactions

    def test_a_transaction_returns_what_its_function_returns(self, empty: Store) -> None:
        assert do(empty, lambda tx: "this") == "this"

    def test_what_was_acknowledged_is_read_at_once(self, empty: Store) -> None:
        async def run() -> None:
            for name in ("eve", "mallory", "oscar"):
                await empty.transact(methodcaller("add", v.user(name)))
                assert await empty.read(methodcaller("user", v.user_id(name))) == v.user(name)

        asyncio.run(run())

    def test_a_transaction_sees_what_it_wrote(self, store: Store) -> None:
        def fn(tx: Tx) -> bool:
            tx.add(v.session())
            tx.append(v.entry(), NOW)
            return tx.session(v.digest("session")) == v.session() and tx.head().size == 1

        assert do(store, fn)

    def test_what_a_function_raises_undoes_what_it_did_and_is_raised(self, store: Store) -> None:
        def fn(tx: Tx) -> None:
            tx.add(v.session())
            tx.append(v.entry(), NOW)
            raise Oops

        with pytest.raises(Oops):
            do(store, fn)
        assert seen(store, lambda tx: tx.session(v.digest("session"))) is None
        assert seen(store, lambda tx: tx.head()) == Frontier()

    def test_a_refusal_that_is_raised_keeps_its_code(self, store: Store) -> None:
        with pytest.raises(Refused) as refused:
            do(store, raising(Refused(Code.CALL_STATE, "no"), lambda tx: tx.append(v.entry(), NOW)))
        assert refused.value.refusal.code is Code.CALL_STATE

    @pytest.mark.parametrize("error", [StopIteration(), KeyboardInterrupt(), SystemExit(3)], ids=repr)
    def test_no_exception_at_all_stops_the_store(self, store: Store, error: BaseException) -> None:
        async def run() -> object:
            try:
                async with asyncio.timeout(60):
                    return await store.transact(raising(error, lambda tx: tx.add(v.session())))
            except BaseException as raised:
                return raised

        raised = asyncio.run(run())
        assert raised is error or isinstance(raised, RuntimeError)
        assert seen(store, lambda tx: tx.session(v.digest("session"))) is None
        assert do(store, lambda tx: tx.append(v.entry(), NOW)) == 0

    def test_functions_handed_in_together_do_not_touch_each_other(self, store: Store) -> None:
        def fn(number: int) -> Callable[[Tx], object]:
            def write(tx: Tx) -> int:
                tx.add(v.session(number))
                return tx.append(v.entry(number), NOW)

            return raising(Oops(), write) if number % 3 == 1 else write

        results = do_all(store, [fn(number) for number in range(100)])
        kept = [number for number in range(100) if number % 3 != 1]
        assert all(isinstance(results[number], Oops) for number in range(100) if number % 3 == 1)
        assert sorted(results[number] for number in kept) == list(range(len(kept)))
        for number in range(100):
            found = seen(store, methodcaller("session", v.digest(number)))
            assert (found is not None) == (number in kept)
        self.check_record(store, len(kept))

    def test_whoever_stops_waiting_stops_nobody_else(self, store: Store) -> None:
        async def run() -> list[Any]:
            tasks = [asyncio.create_task(store.transact(methodcaller("add", v.session(n)))) for n in range(4)]
            await asyncio.sleep(0)  # each has handed in its function
            tasks[1].cancel()
            async with asyncio.timeout(60):
                return await asyncio.gather(*tasks, return_exceptions=True)

        results = asyncio.run(run())
        assert [isinstance(result, asyncio.CancelledError) for result in results] == [
            False,
            True,
            False,
            False,
        ]
        assert seen(store, lambda tx: tx.session(v.digest(3))) is not None

    def test_close_finishes_what_was_handed_in_and_takes_no_more(self, store: Store) -> None:
        async def run() -> list[Any]:
            tasks = [
                asyncio.create_task(store.transact(methodcaller("append", v.entry(n), NOW)))
                for n in range(50)
            ]
            await asyncio.sleep(0)
            store.close()
            return await asyncio.gather(*tasks)

        assert asyncio.run(run()) == list(range(50))
        with pytest.raises(Refused) as refused:
            do(store, lambda tx: None)
        assert refused.value.refusal.code is Code.RECORD_UNAVAILABLE
        store.close()

    def test_a_read_is_of_one_moment(self, store: Store) -> None:
        def look(tx: Reader) -> tuple[object, object]:
            before = tx.session(v.digest("session"))
            do_elsewhere(store, lambda tx: tx.add(v.session()))
            return before, tx.session(v.digest("session"))

        assert seen(store, look) == (None, None)
        assert seen(store, lambda tx: tx.session(v.digest("session"))) == v.session()

    def test_a_read_that_fails_leaves_the_store_readable(self, store: Store) -> None:
        with pytest.raises(Oops):
            seen(store, lambda tx: (_ for _ in ()).throw(Oops()))
        assert seen(store, lambda tx: tx.head()) == Frontier()

    # Users and sessions

    def test_a_user_is_found_by_each_of_its_names(self, store: Store) -> None:
        eve = v.user("Eve ✂", external_id="e-7")
        do(store, lambda tx: tx.add(eve))
        assert seen(store, lambda tx: tx.user(eve.user_id)) == eve
        assert seen(store, lambda tx: tx.user_by_external_id("e-7")) == eve
        assert seen(store, lambda tx: tx.user(v.user_id("nobody"))) is None
        assert seen(store, lambda tx: tx.user_by_external_id("nobody")) is None

    def test_users_are_listed_oldest_first(self, store: Store) -> None:
        assert seen(store, lambda tx: tx.users()) == [v.user("ada"), v.user("bob")]

    def test_no_two_users_share_a_name_of_theirs(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.user("eve", external_id="e-7")))
        for twin in (
            v.user("eve", handle=b"other"),
            v.user("oscar", handle=v.digest("eve")),
            v.user("oscar", external_id="e-7"),
        ):
            with pytest.raises(Exception, match=r"(?i)unique"):
                do(store, methodcaller("add", twin))

    def test_a_session_is_found_until_it_is_ended(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.session()))
        assert seen(store, lambda tx: tx.session(v.digest("session"))) == v.session()
        assert do(store, lambda tx: tx.end_session(v.digest("session")))
        assert not do(store, lambda tx: tx.end_session(v.digest("session")))
        assert seen(store, lambda tx: tx.session(v.digest("session"))) is None

    # Credentials

    def test_active_credentials_are_listed_oldest_first(self, store: Store) -> None:
        first = v.credential(1, created_at=NOW + 5, transports=frozenset())
        second, pending, bobs = (
            v.credential(2),
            v.credential(3, active=False),
            v.credential(4, user_id=v.user_id("bob")),
        )
        for one in (first, pending, second, bobs):
            assert do(store, methodcaller("add", one))
            assert seen(store, methodcaller("credential", one.credential_id)) == one
        assert seen(store, lambda tx: tx.credentials(v.user_id())) == [first, second]
        assert seen(store, lambda tx: tx.credential(v.credential(9).credential_id)) is None

    @pytest.mark.parametrize("owner", ["ada", "bob"])
    def test_cred_4_an_enrolled_id_is_taken_whoever_owns_it(self, store: Store, owner: str) -> None:
        do(store, lambda tx: tx.add(v.credential()))
        assert not do(store, lambda tx: tx.add(v.credential(user_id=v.user_id(owner), label="new")))
        assert seen(store, lambda tx: tx.credential(v.credential().credential_id)) == v.credential()

    def test_cred_4_a_pending_id_is_replaced_by_its_own_user_only(self, store: Store) -> None:
        pending = v.credential(active=False)
        do(store, lambda tx: tx.add(pending))
        assert not do(store, lambda tx: tx.add(replace(pending, user_id=v.user_id("bob"))))
        assert seen(store, lambda tx: tx.credential(pending.credential_id)) == pending
        again = v.credential(active=False, public_key=b"new", sign_count=4, label="new", created_at=NOW + 1)
        assert do(store, lambda tx: tx.add(again))
        assert seen(store, lambda tx: tx.credential(pending.credential_id)) == again

    def test_cred_3_a_pending_credential_is_activated_once_by_its_user(self, store: Store) -> None:
        one = v.credential(active=False)
        do(store, lambda tx: tx.add(one))
        assert not do(store, lambda tx: tx.activate_credential(replace(one, user_id=v.user_id("bob"))))
        assert not do(store, lambda tx: tx.activate_credential(replace(one, public_key=b"another")))
        assert do(store, lambda tx: tx.activate_credential(one))
        assert not do(store, lambda tx: tx.activate_credential(one))
        assert seen(store, lambda tx: tx.credentials(v.user_id())) == [replace(one, active=True)]

    @pytest.mark.parametrize(
        ("stored", "presented", "moves"),
        [(0, 0, True), (0, 7, True), (5, 6, True), (5, 5, False), (5, 4, False), (5, 0, False)],
    )
    def test_appr_7_the_counter_moves_up_unless_zero_is_stored(
        self, store: Store, stored: int, presented: int, moves: bool
    ) -> None:
        one = v.credential(sign_count=stored)
        do(store, lambda tx: tx.add(one))
        assert do(store, lambda tx: tx.advance_counter(one, presented)) is moves
        found = seen(store, lambda tx: tx.credential(one.credential_id))
        assert found is not None
        assert found.sign_count == (presented if moves else stored)

    def test_the_counter_of_no_credential_does_not_move(self, store: Store) -> None:
        assert not do(store, lambda tx: tx.advance_counter(v.credential(), 1))

    @pytest.mark.parametrize(
        "other", [{"public_key": b"another"}, {"user_id": v.user_id("bob")}, {"active": False}]
    )
    def test_appr_8_the_counter_is_that_of_one_key_of_one_user(
        self, store: Store, other: dict[str, Any]
    ) -> None:
        do(store, lambda tx: tx.add(v.credential(**other)))
        assert not do(store, lambda tx: tx.advance_counter(v.credential(), 1))
        assert seen(store, lambda tx: tx.credential(v.credential().credential_id)) == v.credential(**other)

    def test_a_credential_is_removed_by_its_user(self, store: Store) -> None:
        one = v.credential()
        do(store, lambda tx: tx.add(one))
        assert not do(store, lambda tx: tx.remove_credential(one.credential_id, v.user_id("bob")))
        assert do(store, lambda tx: tx.remove_credential(one.credential_id, v.user_id()))
        assert not do(store, lambda tx: tx.remove_credential(one.credential_id, v.user_id()))
        assert seen(store, lambda tx: tx.credential(one.credential_id)) is None

    def test_cred_5_a_recovery_secret_works_once(self, store: Store) -> None:
        do(store, lambda tx: tx.add_recovery(b"secret", v.user_id(), NOW + 900))
        assert seen(store, lambda tx: tx.recovery(b"secret", NOW)) == v.user_id()
        assert seen(store, lambda tx: tx.recovery(b"other", NOW)) is None
        assert do(store, lambda tx: tx.consume_recovery(b"other", NOW)) is None
        assert do(store, lambda tx: tx.consume_recovery(b"secret", NOW + 899)) == v.user_id()
        assert do(store, lambda tx: tx.consume_recovery(b"secret", NOW + 899)) is None
        assert seen(store, lambda tx: tx.recovery(b"secret", NOW)) is None

    def test_token_5_a_recovery_secret_ends_at_its_second(self, store: Store) -> None:
        do(store, lambda tx: tx.add_recovery(b"secret", v.user_id(), NOW + 900))
        assert seen(store, lambda tx: tx.recovery(b"secret", NOW + 900)) is None
        assert do(store, lambda tx: tx.consume_recovery(b"secret", NOW + 900)) is None

    # Agents

    def test_an_agent_is_found_by_id_and_by_key(self, store: Store) -> None:
        one = v.agent()
        assert seen(store, lambda tx: tx.agent(one.client_id)) == one
        assert seen(store, lambda tx: tx.agent_by_key(v.jkt("agent"))) == one
        assert seen(store, lambda tx: tx.agent(v.client_id("nobody"))) is None
        assert seen(store, lambda tx: tx.agent_by_key(v.jkt("nobody"))) is None

    def test_an_attested_agent_has_neither_key_nor_user(self, store: Store) -> None:
        ones = [
            v.agent(number, jkt=None, user_id=None, assurance=Assurance.ORIGIN, name="Robot ✂")
            for number in (1, 2)
        ]
        for one in ones:
            assert do(store, methodcaller("add", one))
        assert seen(store, lambda tx: tx.agents())[2:] == ones

    def test_an_attested_agent_takes_a_new_name_but_stays_revoked(self, store: Store) -> None:
        one = v.agent(1, jkt=None, user_id=None, assurance=Assurance.ORIGIN, name="Robot")
        do(store, lambda tx: tx.put(one))
        assert do(store, lambda tx: tx.revoke_agent(one.client_id, NOW))
        renamed = replace(one, name="Robot 2", assurance=Assurance.REGISTERED, created_at=NOW + 5)
        do(store, lambda tx: tx.put(renamed))
        assert seen(store, lambda tx: tx.agent(one.client_id)) == replace(
            renamed, created_at=NOW, revoked_at=NOW
        )

    def test_agents_are_listed_oldest_first(self, store: Store) -> None:
        bobs = v.agent("bobs", user_id=v.user_id("bob"), created_at=NOW - 9)
        assert do(store, lambda tx: tx.add(bobs))
        assert seen(store, lambda tx: tx.agents()) == [v.agent(), v.agent("other"), bobs]
        assert seen(store, lambda tx: tx.agents(v.user_id("bob"))) == [bobs]

    def test_agent_1_neither_id_nor_key_is_given_twice(self, store: Store) -> None:
        assert not do(store, lambda tx: tx.add(v.agent(jkt=v.jkt("new"), user_id=v.user_id("bob"))))
        assert not do(store, lambda tx: tx.add(v.agent("new", jkt=v.jkt("agent"), user_id=v.user_id("bob"))))
        assert seen(store, lambda tx: tx.agent_by_key(v.jkt("agent"))) == v.agent()

    def test_an_agent_is_revoked_once(self, store: Store) -> None:
        assert do(store, lambda tx: tx.revoke_agent(v.client_id(), NOW + 1))
        assert not do(store, lambda tx: tx.revoke_agent(v.client_id(), NOW + 2))
        assert not do(store, lambda tx: tx.revoke_agent(v.client_id("nobody"), NOW))
        assert seen(store, lambda tx: tx.agent(v.client_id())) == v.agent(revoked_at=NOW + 1)

    # Grants

    def test_a_grant_is_kept_as_it_is(self, store: Store) -> None:
        limit: Json = {
            "type": "webmcp_tool",
            "tool": "transfer_money",
            "max_calls": 3,
            "sum": {"/amount": 99.5},
        }
        constraints = Constraints.parse(
            [limit, {"type": "webmcp_tool", "tool": "x", "hours": ["09:00", "17:00"]}]
        )
        one = v.grant(scopes=ScopeSet(), refresh_generation=3, refreshed_at=NOW, constraints=constraints)
        for grant in (one, v.grant("child", parent_id=one.grant_id)):
            do(store, methodcaller("add", grant))
            assert seen(store, methodcaller("grant", grant.grant_id)) == grant
        assert seen(store, lambda tx: tx.grant(v.grant_id("none"))) is None

    @pytest.mark.parametrize("source", GrantState)
    def test_a_grant_moves_as_its_table_says_and_not_otherwise(
        self, store: Store, source: GrantState
    ) -> None:
        for target in GRANT_TRANSITIONS[GrantState.PENDING]:
            do(store, methodcaller("add", v.grant(target.value, state=source)))

            def move(tx: Tx, target: GrantState = target) -> bool:
                return tx.move_grant(v.grant_id(target.value), target, NOW, NOW + 3600)

            moves = target in GRANT_TRANSITIONS.get(source, ())
            assert do(store, move) is moves
            found = seen(store, methodcaller("grant", v.grant_id(target.value)))
            assert found is not None
            assert found.state is (target if moves else source)
            assert found.expires_at == (NOW + 3600 if moves and target is GrantState.ACTIVE else NOW + 600)
            assert not do(store, move)
            do(
                store,
                methodcaller("move_grant", v.grant_id(target.value), GrantState.REVOKED, NOW),
            )

    def test_grant_10_a_suspended_grant_is_found_and_becomes_active_again(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.grant()))
        assert do(store, lambda tx: tx.move_grant(v.grant_id(), GrantState.ACTIVE, NOW, NOW + 3600))
        assert do(store, lambda tx: tx.move_grant(v.grant_id(), GrantState.SUSPENDED, NOW))
        assert self.active(store) == v.grant_id()
        assert [each.state for each in seen(store, lambda tx: tx.grants())] == [GrantState.SUSPENDED]
        late = NOW + 3600
        assert not do(store, lambda tx: tx.move_grant(v.grant_id(), GrantState.ACTIVE, late, late + 60))
        assert do(store, lambda tx: tx.move_grant(v.grant_id(), GrantState.ACTIVE, NOW, NOW + 60))

    def test_no_grant_becomes_pending_again(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.grant()))
        with pytest.raises(ValueError, match="pending"):
            do(store, lambda tx: tx.move_grant(v.grant_id(), GrantState.PENDING, NOW, NOW + 3600))

    def test_grant_4_consent_comes_before_the_request_expires(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.grant()))
        late = NOW + 600
        assert not do(store, lambda tx: tx.move_grant(v.grant_id(), GrantState.ACTIVE, late, late + 3600))
        assert do(store, lambda tx: tx.move_grant(v.grant_id(), GrantState.ACTIVE, late - 1, late + 3600))

    def test_a_grant_that_is_not_there_does_not_move(self, store: Store) -> None:
        assert not do(store, lambda tx: tx.move_grant(v.grant_id(), GrantState.REVOKED, NOW))

    def test_grant_3_an_agent_has_one_active_grant_of_a_user(self, store: Store) -> None:
        for name in (1, 2):
            do(store, methodcaller("add", v.grant(name)))
        activate = {
            name: methodcaller("move_grant", v.grant_id(name), GrantState.ACTIVE, NOW, NOW + 3600)
            for name in (1, 2)
        }
        assert do(store, activate[1])
        with pytest.raises(Exception, match=r"(?i)unique"):
            do(store, activate[2])
        assert do(store, lambda tx: tx.move_grant(v.grant_id(1), GrantState.REVOKED, NOW))
        assert self.active(store) is None
        assert do(store, activate[2])
        assert self.active(store) == v.grant_id(2)

    def test_active_grants_of_others_are_not_mixed_up(self, store: Store) -> None:
        others: list[dict[str, Any]] = [
            {"client_id": v.client_id("other")},
            {"user_id": v.user_id("bob")},
            {"jkt": v.jkt("other")},
            {"parent_id": v.grant_id("pending")},
        ]
        do(store, lambda tx: tx.add(v.grant("pending")))
        for number, other in enumerate(others):
            do(store, methodcaller("add", v.grant(number, state=GrantState.ACTIVE, **other)))
        assert self.active(store) is None
        of_agent = seen(store, lambda tx: tx.active_grants(v.client_id()))
        assert [one.grant_id for one in of_agent] == [v.grant_id(number) for number in (1, 2, 3)]

    def test_chain_1_the_lineage_of_a_grant_goes_back_to_its_user(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.grant(1)))
        for number in (2, 3):
            child = v.grant(number, state=GrantState.ACTIVE, parent_id=v.grant_id(number - 1))
            do(store, methodcaller("add", child))
        lineage = seen(store, lambda tx: tx.lineage(v.grant_id(3)))
        assert [one.grant_id for one in lineage] == [v.grant_id(number) for number in (3, 2, 1)]
        assert seen(store, lambda tx: tx.lineage(v.grant_id("none"))) == []

    def test_chain_5_the_living_children_of_a_grant_are_counted(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.grant(1)))
        different: list[dict[str, Any]] = [{}, {}, {"expires_at": v.NOW}, {"state": GrantState.REVOKED}]
        for number, other in enumerate(different, 2):
            child = {"state": GrantState.ACTIVE, "parent_id": v.grant_id(1), **other}
            do(store, methodcaller("add", v.grant(number, **child)))
        below = v.grant(9, state=GrantState.ACTIVE, parent_id=v.grant_id(2))
        do(store, lambda tx: tx.add(below))
        counted = [seen(store, lambda tx, n=n: tx.children(v.grant_id(n), v.NOW)) for n in (1, 2, 3)]  # type: ignore[misc]
        assert counted == [2, 1, 0]

    def test_cons_3_a_counter_gives_up_to_its_limit_and_not_more(self, store: Store) -> None:
        def take(counter: str, amount: int, grant: object = "grant") -> bool:
            return do(store, lambda tx: tx.take(v.grant_id(grant), Use(counter, amount, 10)))

        for name in ("grant", "other"):
            do(store, methodcaller("add", v.grant(name)))
        assert not take("sum", 11)
        assert seen(store, lambda tx: tx.used(v.grant_id())) == {}
        assert [take("sum", amount) for amount in (7, 4, 3, 1, 0)] == [True, False, True, False, True]
        assert take("calls", 10)
        assert take("sum", 10, "other")
        assert seen(store, lambda tx: tx.used(v.grant_id())) == {"sum": 10, "calls": 10}

    def test_grants_that_are_or_were_active_are_listed_newest_first(self, store: Store) -> None:
        for name in ("first", "declined", "withdrawn", "pending", "second"):
            do(store, methodcaller("add", v.grant(name)))
        for name, state in (
            ("first", GrantState.ACTIVE),
            ("declined", GrantState.DECLINED),
            ("withdrawn", GrantState.REVOKED),
            ("first", GrantState.REVOKED),
            ("second", GrantState.ACTIVE),
        ):
            assert do(store, methodcaller("move_grant", v.grant_id(name), state, NOW, NOW + 60))
        do(store, lambda tx: tx.add(v.grant("bobs", user_id=v.user_id("bob"), state=GrantState.ACTIVE)))
        listed = seen(store, lambda tx: tx.grants(v.user_id()))
        assert [one.grant_id for one in listed] == [v.grant_id("second"), v.grant_id("first")]
        assert [one.grant_id for one in seen(store, lambda tx: tx.grants())] == [
            v.grant_id(name) for name in ("bobs", "second", "first")
        ]

    @pytest.mark.parametrize(
        ("presented", "at", "becomes"),
        [
            (5, NOW, 6),
            (4, NOW + 59, 6),  # the previous one, for an answer that was lost
            (4, NOW + 60, None),
            (4, NOW - 59, 6),  # by a clock that has gone back (CLOCK-1)
            (4, NOW - 60, None),
            (4, NOW - 3600, None),
            (3, NOW + 1, None),
            (6, NOW + 1, 7),  # given since the copy was made that this goes on from (RESTORE-2)
            (9, NOW - 3600, 10),
        ],
    )
    def test_token_4_the_previous_generation_is_honored_for_a_minute(
        self, store: Store, presented: int, at: int, becomes: int | None
    ) -> None:
        one = v.grant(state=GrantState.ACTIVE, refresh_generation=5, refreshed_at=NOW)
        do(store, lambda tx: tx.add(one))
        assert do(store, lambda tx: tx.rotate_refresh(one.grant_id, presented, at, 60)) == becomes
        found = seen(store, lambda tx: tx.grant(one.grant_id))
        expected = replace(one, refresh_generation=becomes, refreshed_at=at) if becomes else one
        assert found == expected

    def test_token_4_the_previous_generation_is_honored_once(self, store: Store) -> None:
        one = v.grant(state=GrantState.ACTIVE)
        do(store, lambda tx: tx.add(one))
        results = [do(store, lambda tx: tx.rotate_refresh(one.grant_id, 0, NOW, 60)) for _ in range(3)]
        assert results == [1, 2, None]

    @pytest.mark.parametrize("at", [NOW - 3600, NOW - 1, NOW, NOW + 1])
    def test_bearer_5_without_grace_it_never_is_whatever_the_clock_says(self, store: Store, at: int) -> None:
        one = v.grant(state=GrantState.ACTIVE, refresh_generation=5, refreshed_at=NOW)
        do(store, lambda tx: tx.add(one))
        assert do(store, lambda tx: tx.rotate_refresh(one.grant_id, 4, at, 0)) is None
        assert do(store, lambda tx: tx.rotate_refresh(one.grant_id, 6, at, 0)) is None
        assert do(store, lambda tx: tx.rotate_refresh(one.grant_id, 5, at, 0)) == 6

    def test_bearer_7_a_grant_without_a_key_is_bound_once(self, store: Store) -> None:
        one = v.grant(state=GrantState.ACTIVE, jkt=NO_KEY)
        do(store, lambda tx: tx.add(one))
        assert do(store, lambda tx: tx.bind_grant(one.grant_id, v.jkt("new")))
        assert not do(store, lambda tx: tx.bind_grant(one.grant_id, v.jkt("other")))
        assert seen(store, lambda tx: tx.grant(one.grant_id)) == replace(one, jkt=v.jkt("new"))
        assert seen(store, lambda tx: tx.active_grant(one.user_id, one.client_id, v.jkt("new"))) is not None

    def test_grant_8_a_grant_learns_definitions_if_it_has_learned_no_others_meanwhile(
        self, store: Store
    ) -> None:
        one = v.grant(state=GrantState.ACTIVE, definitions={"note": ["A"]})
        for grant in (one, v.grant("other")):
            do(store, methodcaller("add", grant))
        known = {"note": ["B", "A"], "mcp/note": ["C"]}
        assert do(store, lambda tx: tx.know_definitions(one, known))
        assert not do(store, lambda tx: tx.know_definitions(one, {}))
        learned = seen(store, lambda tx: tx.grant(one.grant_id))
        assert learned == replace(one, definitions=known)
        assert do(store, lambda tx: tx.know_definitions(replace(one, definitions=known), {}))
        assert seen(store, lambda tx: tx.grant(v.grant_id("other"))) == v.grant("other")

    @pytest.mark.parametrize("state", [state for state in GrantState if state is not GrantState.ACTIVE])
    def test_only_an_active_grant_is_bound(self, store: Store, state: GrantState) -> None:
        do(store, lambda tx: tx.add(v.grant(state=state, jkt=NO_KEY)))
        assert not do(store, lambda tx: tx.bind_grant(v.grant_id(), v.jkt("new")))

    @pytest.mark.parametrize("state", [state for state in GrantState if state is not GrantState.ACTIVE])
    def test_only_an_active_grant_is_renewed(self, store: Store, state: GrantState) -> None:
        do(store, lambda tx: tx.add(v.grant(state=state)))
        assert do(store, lambda tx: tx.rotate_refresh(v.grant_id(), 0, NOW, 60)) is None

    # Authorization requests

    def test_a_request_is_found_by_each_of_its_names(self, store: Store) -> None:
        device = v.request(
            "device", user_code="BCDF-GHJK", redirect_uri=None, secret_digest=b"secret", polled_at=NOW
        )
        for one in (v.request(), device):
            do(store, methodcaller("add", one))
            assert seen(store, methodcaller("request", one.request_id)) == one
        assert seen(store, lambda tx: tx.request_by_secret(b"secret")) == device
        assert seen(store, lambda tx: tx.request_by_secret(b"other")) is None
        assert seen(store, lambda tx: tx.request_by_user_code("BCDF-GHJK", NOW + 89)) == device
        assert seen(store, lambda tx: tx.request_by_user_code("BCDF-GHJK", NOW + 90)) is None
        assert seen(store, lambda tx: tx.request("req_none")) is None

    def test_a_user_code_is_free_again_once_its_request_was_answered(self, store: Store) -> None:
        first, second = v.request(1, user_code="BCDF-GHJK"), v.request(2, user_code="BCDF-GHJK")
        do(store, lambda tx: tx.add(first))
        with pytest.raises(Exception, match=r"(?i)unique"):
            do(store, lambda tx: tx.add(second))
        assert do(store, lambda tx: tx.move_request(replace(first, status=Status.DENIED)))
        do(store, lambda tx: tx.add(second))
        assert seen(store, lambda tx: tx.request_by_user_code("BCDF-GHJK", NOW)) == second

    @pytest.mark.parametrize("source", Status)
    def test_a_request_moves_as_its_table_says_and_not_otherwise(self, store: Store, source: Status) -> None:
        for target in MOVES[Status.REQUESTED] | {Status.REDEEMED}:
            one = v.request(target.value, status=source)
            do(store, methodcaller("add", one))
            moved = replace(one, status=target, secret_digest=target.encode(), expires_at=NOW + 600)
            move = methodcaller("move_request", moved)
            moves = target in MOVES.get(source, ())
            assert do(store, move) is moves
            assert seen(store, methodcaller("request", one.request_id)) == (moved if moves else one)
            assert do(store, move) is (moves and target is source)

    def test_only_an_open_request_is_bound_to_a_user(self, store: Store) -> None:
        bound = v.request(user_id=v.user_id(), grant_id=v.grant_id(), expires_at=NOW + 600)
        bind = methodcaller("move_request", bound)
        assert not do(store, bind)
        do(store, lambda tx: tx.add(v.request()))
        assert do(store, bind)
        assert seen(store, lambda tx: tx.request("req_request")) == bound
        do(store, lambda tx: tx.move_request(replace(bound, status=Status.DENIED)))
        assert not do(store, bind)

    def test_a_poll_is_noted(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.request()))
        do(store, lambda tx: tx.note_poll("req_request", NOW + 5, 10))
        assert seen(store, lambda tx: tx.request("req_request")) == v.request(polled_at=NOW + 5, interval=10)

    # Challenges and proofs

    def test_a_challenge_is_kept_as_it_is(self, store: Store) -> None:
        signed_out = v.challenge("in", purpose=Purpose.SIGN_IN, owner=None, page_jkt=None, subject="")
        subjects: list[Subject] = [
            NewUser(v.user_id(), v.digest("handle"), "Ada, the \u2068first\u2069"),
            Enrolling("recovery", v.digest("secret")),
            Enrolling("first"),
            Inside(v.grant_id(), NOW + 300),
        ]
        about = [v.challenge(repr(each), subject=each) for each in subjects]
        asked = v.challenge("asked", method="webauthn", salt=v.digest("salt"))
        for one in (v.challenge(), signed_out, asked, *about):
            do(store, methodcaller("add", one))
            assert seen(store, methodcaller("challenge", one.challenge_id)) == one
        assert seen(store, lambda tx: tx.challenge(v.challenge_id("none"))) is None

    def test_a_challenge_is_consumed_once(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.challenge()))
        another = v.challenge(nonce=v.digest("another under its id"))  # APPR-8
        assert not do(store, lambda tx: tx.consume_challenge(another, NOW + 59))
        assert do(store, lambda tx: tx.consume_challenge(v.challenge(), NOW + 59))
        assert not do(store, lambda tx: tx.consume_challenge(v.challenge(), NOW + 59))
        assert not do(store, lambda tx: tx.consume_challenge(v.challenge("none"), NOW))
        found = seen(store, lambda tx: tx.challenge(v.challenge_id()))
        assert found == v.challenge(consumed_at=NOW + 59)

    def test_appr_10_a_question_that_was_answered_is_kept_as_it_is(self, store: Store) -> None:
        text = Text("de-CH", ("Überweise \u2068250.00\u2069 EUR", "an \u2068“Ada”\u2069"))
        what: dict[str, Json] = {"kind": "call", "rows": [["Betrag", 250.5], {"n": None}]}
        question = Question(what, v.user_id(), NOW + 60, text, ("webauthn", "code"), Surface.EITHER, 2)
        answered, left, plain = (
            v.challenge(name, salt=v.digest("salt")) for name in ("answered", "left", "plain")
        )
        asked = Asked(question, answered.salt)
        do(store, lambda tx: tx.ask(answered, question))
        do(store, lambda tx: tx.ask(left, question))
        do(store, lambda tx: tx.add(plain))
        assert seen(store, lambda tx: tx.asked(answered.challenge_id)) is None
        assert do(store, lambda tx: [tx.consume_challenge(each, NOW) for each in (answered, plain)])
        assert do(store, lambda tx: tx.sweep(NOW + 10**6)) == 2
        found, *none = seen(
            store, lambda tx: [tx.asked(each.challenge_id) for each in (answered, left, plain)]
        )
        assert found == asked
        assert none == [None, None]
        assert found.question.commitment(found.salt) == asked.question.commitment(asked.salt)

    def test_token_5_a_challenge_is_over_at_its_second(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.challenge()))
        assert not do(store, lambda tx: tx.consume_challenge(v.challenge(), NOW + 60))

    def test_appr_4_five_failures_close_a_challenge(self, store: Store) -> None:
        for name, failures in (("open", MAX_ATTEMPTS - 1), ("closed", MAX_ATTEMPTS)):
            do(store, methodcaller("add", v.challenge(name)))
            for _ in range(failures):
                do(store, methodcaller("fail_challenge", v.challenge_id(name)))
        assert do(store, lambda tx: tx.consume_challenge(v.challenge("open"), NOW))
        assert not do(store, lambda tx: tx.consume_challenge(v.challenge("closed"), NOW))
        closed = seen(store, lambda tx: tx.challenge(v.challenge_id("closed")))
        assert closed == v.challenge("closed", attempts=MAX_ATTEMPTS)

    def test_proof_2_a_proof_is_used_once_per_key(self, store: Store) -> None:
        assert do(store, lambda tx: tx.use_proof(v.proof("a", "key")))
        assert not do(store, lambda tx: tx.use_proof(v.proof("a", "key")))
        assert not do(store, lambda tx: tx.use_proof(v.proof("a", "key", NOW + 1000)))
        assert do(store, lambda tx: tx.use_proof(v.proof("a", "other")))
        assert do(store, lambda tx: tx.use_proof(v.proof("b", "key")))

    # Calls

    def test_a_call_is_kept_as_it_is(self, store: Store) -> None:
        own = v.call(
            "own",
            client_id=None,
            grant_id=None,
            page_jkt=None,
            match_key=None,
            description=None,
            scopes=ScopeSet(),
        )
        for one in (
            v.call(),
            own,
            v.call("done", State.SUCCEEDED, delivered=True, challenge_id=v.challenge_id()),
        ):
            do(store, methodcaller("add", one))
            assert seen(store, methodcaller("call", one.call_id)) == one
        assert seen(store, lambda tx: tx.call(v.call_id("none"))) is None

    @pytest.mark.parametrize(
        "arguments", [{}, {"": {"\u2028": [True, 1e21, -0.5, "\U0001f600"]}}, {"n": 2**53 - 1}]
    )
    def test_arguments_come_back_equal(self, store: Store, arguments: dict[str, Any]) -> None:
        do(store, lambda tx: tx.add(v.call(arguments=arguments)))
        found = seen(store, lambda tx: tx.call(v.call_id()))
        assert found is not None
        assert found.arguments == arguments

    def test_hist_1_the_calls_of_a_user_come_newest_first_page_by_page_and_each_once(
        self, store: Store
    ) -> None:
        made = [v.call(number, created_at=NOW + number // 3) for number in range(10)]
        for one in (*made, v.call("his", user_id=v.user_id("bob"))):
            do(store, methodcaller("add", one))
        assert listed(store, Wanted(), 4) == [made[:5:-1], made[5:1:-1], made[1::-1]]
        assert listed(store, Wanted(), 10) == [made[::-1]]
        assert seen(store, lambda tx: tx.calls(v.user_id("nobody"), Wanted(), 3, NOW)) == Listed([], None)
        before = Wanted(before=made[4].call_id, since=NOW + 1)
        assert listed(store, before, 9) == [[made[3]]]
        assert listed(store, Wanted(since=NOW + 1, until=NOW + 2), 9) == [made[5:2:-1]]

    def test_hist_1_only_those_that_are_wanted(self, store: Store) -> None:
        url = ClientId("https://agent.example/agent.json")
        done = v.call("done", State.SUCCEEDED, challenge_id=v.challenge_id(), tool="pay")
        denied = v.call("denied", State.DENIED, tool="pay")
        page = v.call("page", State.DECLINED, client_id=None, grant_id=None)
        attested = v.call("attested", State.SUCCEEDED, client_id=url)
        for one in (done, denied, page, attested):
            do(store, methodcaller("add", one))

        def found(**wanted: Any) -> list[Call]:
            (calls,) = listed(store, Wanted(**wanted), 9)
            return calls

        assert found(tool="pay") == [denied, done]
        assert found(agent=url) == found(agent=url, state=State.SUCCEEDED) == [attested]
        assert found(agent="nobody") == found(state=State.DECLINED) == [page]
        assert found(agent="browsers") == [denied, done]
        assert found(approved=True) == found(tool="pay", state=State.SUCCEEDED) == [done]
        assert found(agent="browsers", state=State.DENIED, tool="pay") == [denied]
        assert found(agent="browsers", state=State.DECLINED) == found(tool="pay", agent=url) == []

    @pytest.mark.parametrize("state", OVERDUE)
    def test_hist_1_a_state_counts_from_when_a_call_falls_into_it(self, store: Store, state: State) -> None:
        call = v.call(state=state, deadline=NOW + 5)
        do(store, methodcaller("add", call))
        for now, wanted in ((NOW + 4, state), (NOW + 5, OVERDUE[state])):
            for each in State:
                expected = [call] if each is wanted else []
                look = methodcaller("calls", v.user_id(), Wanted(state=each), 3, now)
                assert seen(store, look) == Listed(expected, None)

    # How often people are asked

    def test_prompt_2_what_waits_for_a_user_and_what_he_is_answering(self, store: Store) -> None:
        calls = [v.call(name, State.PENDING, deadline=NOW + 5) for name in ("first", "second")]
        grant = v.grant("asking", expires_at=NOW + 5)
        other = v.call("his", State.PENDING, user_id=v.user_id("bob"))
        for one in (
            *calls,
            v.call("done", State.APPROVED),
            other,
            grant,
            v.grant("given", state=GrantState.ACTIVE),
        ):
            do(store, methodcaller("add", one))
        assert seen(store, lambda tx: tx.asking(v.user_id(), NOW, 9)) == (calls, [grant])
        assert seen(store, lambda tx: tx.asking(v.user_id(), NOW, 1)) == (calls[:1], [grant])
        assert seen(store, lambda tx: tx.asking(v.user_id(), NOW + 5, 9)) == ([], [])
        answering = v.challenge(expires_at=NOW + 5)
        others = (
            v.challenge("his", owner=v.user_id("bob")),
            v.challenge("window", purpose=Purpose.ENROLLMENT_WINDOW),
            v.challenge("answered", consumed_at=NOW),
            v.challenge("failed", attempts=MAX_ATTEMPTS),
        )
        for challenge in (answering, *others):
            do(store, methodcaller("add", challenge))
        assert seen(store, lambda tx: tx.answering(v.user_id(), NOW + 4)) == [answering]
        assert seen(store, lambda tx: tx.answering(v.user_id(), NOW + 5)) == []

    def test_prompt_3_declines_are_counted_for_as_long_before_as_after(self, store: Store) -> None:
        for at in (NOW, NOW + 9, NOW + 10):
            do(store, methodcaller("add", Decline(v.user_id(), "a", at, at + 10)))
        rate = Rate(3, 10)
        counts = [
            seen(store, methodcaller("declines", v.user_id(), "a", rate, now))
            for now in (NOW - 10, NOW, NOW + 5, NOW + 10, NOW + 20)
        ]
        assert counts == [0, 2, 3, 2, 0]
        assert seen(store, lambda tx: tx.declines(v.user_id(), "b", rate, NOW)) == 0
        assert seen(store, lambda tx: tx.declines(v.user_id("bob"), "a", rate, NOW)) == 0

    def test_phone_1_a_question_has_the_digits_that_were_drawn_first(self, store: Store) -> None:
        first, later = Phone(v.call_id(), "07", NOW + 60), Phone(v.call_id(), "42", NOW + 90)
        assert do_all(store, [methodcaller("add", each) for each in (first, later)]) == [True, False]
        assert seen(store, lambda tx: tx.phone(v.call_id())) == first
        assert seen(store, lambda tx: tx.phone(v.call_id("another"))) is None

    def test_phone_3_after_others_were_typed_it_has_none(self, store: Store) -> None:
        phones = [Phone(v.call_id(name), "07", NOW + 60) for name in ("one", "other")]
        do(store, lambda tx: [tx.add(each) for each in phones])
        do(store, lambda tx: tx.fail_phone(v.call_id("one")))
        left = [seen(store, methodcaller("phone", each.subject)) for each in phones]
        assert left == [replace(phones[0], digits=None), phones[1]]
        assert not do(store, lambda tx: tx.add(phones[0]))

    def test_prompt_4_a_quiet_lasts_as_it_says_or_until_it_is_ended(self, store: Store) -> None:
        quiet = Quiet(v.user_id(), "a", NOW, NOW + 60)
        do(store, methodcaller("put", quiet))
        do(store, methodcaller("put", Quiet(v.user_id(), "b", NOW - 9, NOW + 1)))
        do(store, methodcaller("put", Quiet(v.user_id("bob"), "a", NOW, NOW + 60)))
        do(store, methodcaller("add", Decline(v.user_id(), "a", NOW, NOW + 60)))
        assert [each.asker for each in seen(store, lambda tx: tx.quiet(v.user_id(), NOW))] == ["a", "b"]
        longer = replace(quiet, until=NOW + 90)
        do(store, methodcaller("put", longer))
        assert seen(store, lambda tx: tx.quiet(v.user_id(), NOW + 89)) == [longer]
        assert seen(store, lambda tx: tx.quiet(v.user_id(), NOW + 90)) == []
        assert do(store, lambda tx: tx.end_quiet(v.user_id(), "a"))
        assert not do(store, lambda tx: tx.end_quiet(v.user_id(), "a"))
        assert seen(store, lambda tx: tx.declines(v.user_id(), "a", Rate(3, 60), NOW)) == 0
        assert len(seen(store, lambda tx: tx.quiet(v.user_id("bob"), NOW))) == 1

    def test_prompt_5_agents_are_paused_once_and_go_on_once(self, store: Store) -> None:
        assert not do(store, lambda tx: tx.pause(v.user_id(), None))
        assert do(store, lambda tx: tx.pause(v.user_id(), NOW))
        assert not do(store, lambda tx: tx.pause(v.user_id(), NOW + 1))
        assert seen(store, lambda tx: tx.user(v.user_id())) == v.user(paused_since=NOW)
        assert do(store, lambda tx: tx.pause(v.user_id(), None))
        assert seen(store, lambda tx: tx.user(v.user_id())) == v.user()

    def test_call_6_the_newest_call_with_a_key_is_found(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.call(1, created_at=NOW + 9)))
        do(store, lambda tx: tx.add(v.call(2, State.EXPIRED)))  # stored later, by a clock that was set back
        do(store, lambda tx: tx.add(v.call(3, match_key=b"other")))
        do(store, lambda tx: tx.add(v.call(4, match_key=None)))
        assert seen(store, lambda tx: tx.latest_call(v.user_id(), v.digest("match"))) == v.call(
            2, State.EXPIRED
        )
        assert seen(store, lambda tx: tx.latest_call(v.user_id(), b"none")) is None

    @pytest.mark.parametrize("source", State)
    def test_call_4_a_call_moves_as_its_table_says_and_not_otherwise(
        self, store: Store, source: State
    ) -> None:
        for target in State:
            one = v.call(target.value, source)
            do(store, methodcaller("add", one))

            def move(tx: Tx, one: Call = one, target: State = target) -> bool:
                return tx.move_call(one.moved(target, NOW + 1, 7), one.state, NOW + 1)

            if target in TRANSITIONS[source]:
                assert do(store, move)
                deadline = NOW + 1 + LIFETIME.get(target, 0)
                expected = replace(one, state=target, deadline=deadline, entry=7)
                assert not do(store, move)  # it is not any more where it was read
            else:
                expected = one
                with pytest.raises(ValueError, match=source):
                    do(store, move)
            assert seen(store, methodcaller("call", one.call_id)) == expected

    @pytest.mark.parametrize("source", OVERDUE)
    def test_call_4_past_its_deadline_a_call_moves_nowhere_but_where_time_puts_it(
        self, store: Store, source: State
    ) -> None:
        one = v.call(state=source)
        do(store, lambda tx: tx.add(one))
        for target in TRANSITIONS[source] - {OVERDUE[source]}:
            assert not do(
                store, methodcaller("move_call", one.moved(target, one.deadline, 7), source, one.deadline)
            )
        assert do(
            store,
            lambda tx: tx.move_call(one.moved(OVERDUE[source], one.deadline, 7), one.state, one.deadline),
        )

    def test_an_approval_names_its_challenge_and_later_moves_keep_it(self, store: Store) -> None:
        one = v.call(state=State.PENDING)
        do(store, lambda tx: tx.add(one))
        answered = replace(one, challenge_id=v.challenge_id(), method="webauthn")
        assert do(store, lambda tx: tx.move_call(answered.moved(State.APPROVED, NOW, 1), one.state, NOW))
        approved = do(store, lambda tx: tx.call(one.call_id))
        assert approved is not None
        assert approved.approval == {"challenge_id": v.challenge_id(), "method": "webauthn"}
        assert do(store, lambda tx: tx.move_call(approved.moved(State.REDEEMED, NOW, 2), approved.state, NOW))
        redeemed = do(store, lambda tx: tx.call(one.call_id))
        assert redeemed is not None
        assert redeemed.approval == approved.approval

    def test_a_resumed_call_points_to_its_new_entry(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.call()))
        assert do(store, lambda tx: tx.carry_call(v.call(entry=9)))
        assert seen(store, lambda tx: tx.call(v.call_id())) == v.call(entry=9)

    def test_grant_3_open_calls_of_a_grant_are_found_and_put_under_another(self, store: Store) -> None:
        for state in State:
            do(store, methodcaller("add", v.call(state.value, state)))
        late = v.call("late", State.PENDING, deadline=NOW)
        others = v.call("others", State.PENDING, grant_id=v.grant_id("other"))
        for one in (late, others):
            do(store, methodcaller("add", one))
        found = do(store, lambda tx: tx.open_calls(v.grant_id(), NOW, 9))
        assert [one.state for one in found] == [State.APPROVED, State.PENDING]
        assert do(store, lambda tx: tx.open_calls(v.grant_id(), NOW, 1)) == found[:1]
        carried = replace(found[1], grant_id=v.grant_id("other"), entry=9)
        assert do(store, lambda tx: tx.carry_call(carried))
        assert seen(store, lambda tx: tx.call(carried.call_id)) == carried
        assert not do(store, lambda tx: tx.carry_call(replace(carried, state=State.APPROVED)))

    def test_call_10_delivery_is_noted_for_calls_of_this_user_and_key_only(self, store: Store) -> None:
        calls = [
            v.call(1),
            v.call(2, user_id=v.user_id("bob")),
            v.call(3, page_jkt=v.jkt("other")),
            v.call(4),
        ]
        for one in calls:
            do(store, methodcaller("add", one))
        ids = [v.call_id(name) for name in (1, 2, 3, "none")]
        do(store, lambda tx: tx.mark_delivered(ids, v.user_id(), v.jkt()))
        found = [seen(store, methodcaller("call", one.call_id)) for one in calls]
        assert [one is not None and one.delivered for one in found] == [True, False, False, False]

    def test_overdue_calls_are_those_past_their_deadline_in_a_moving_state(self, store: Store) -> None:
        for state in State:
            do(store, methodcaller("add", v.call(state.value, state, deadline=NOW)))
            do(store, methodcaller("add", v.call((state, 1), state, deadline=NOW + 1)))
        overdue = self.overdue(store, 9)
        assert {one.state for one in overdue} == set(OVERDUE)
        assert {one.deadline for one in overdue} == {NOW}
        assert len(self.overdue(store, 2)) == 2

    # The fixture is shared by all walks: each leaves the store as it was.
    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        start=st.sampled_from(list(LIFETIME)),
        steps=st.lists(
            st.tuples(st.sampled_from([0, 1, 299, 300, 599, 600]), st.sampled_from(State), st.integers(0, 3)),
            max_size=8,
        ),
    )
    def test_call_4_on_any_walk_a_call_goes_only_where_the_table_leads(
        self, store: Store, start: State, steps: list[tuple[int, State, int]]
    ) -> None:
        """Push one call about, from fresh and stale copies, early and late, and compare with the table."""

        def walk(tx: Tx) -> None:
            now, model = NOW, v.call(state=start)
            copies = [model]  # newest first
            tx.add(model)
            for number, (seconds, target, age) in enumerate(steps, 1):
                now += seconds
                copy = copies[min(age, len(copies) - 1)]
                in_time = now < model.deadline or OVERDUE.get(copy.state) is target
                if target not in TRANSITIONS[copy.state]:
                    with pytest.raises(ValueError, match="moves"):
                        tx.move_call(copy.moved(target, now, number), copy.state, now)
                elif copy.state is model.state and in_time:
                    assert tx.move_call(copy.moved(target, now, number), copy.state, now)
                    deadline = now + LIFETIME.get(target, 0)
                    model = replace(model, state=target, entry=number, deadline=deadline)
                    copies.insert(0, model)
                else:
                    assert not tx.move_call(copy.moved(target, now, number), copy.state, now)
                assert tx.call(model.call_id) == model
            raise Oops

        with pytest.raises(Oops):
            do(store, walk)

    # The record

    def test_log_1_entries_are_appended_in_order_and_read_back(self, store: Store) -> None:
        indices = [do(store, methodcaller("append", v.entry(n), NOW + n)) for n in range(5)]
        assert indices == [0, 1, 2, 3, 4]
        entries = seen(store, lambda tx: tx.entries(0, 99))
        blinds = [unb64u(orjson.loads(one.leaf)["blind"]) for one in entries]
        assert [one.leaf for one in entries] == [v.entry(n).leaf(n, NOW + n, blinds[n]) for n in range(5)]
        assert len(set(blinds)) == 5
        assert orjson.loads(entries[3].leaf)["i"] == 3
        assert [one.index for one in seen(store, lambda tx: tx.entries(2, 2))] == [2, 3]
        assert seen(store, lambda tx: tx.entries(5, 9)) == []
        self.check_record(store, 5)

    def test_log_7_the_hashes_of_the_tree_are_kept_by_tiles(self, store: Store) -> None:
        size = 2 * WIDTH + 3
        do(store, lambda tx: [tx.append(v.entry(n), NOW) for n in range(WIDTH - 1)])
        do(store, lambda tx: [tx.append(v.entry(n), NOW) for n in range(size - WIDTH + 1)])
        leaves = seen(store, lambda tx: tx.hashes(0, 0, size + 1))
        assert leaves == [one.leaf_hash for one in seen(store, lambda tx: tx.entries(0, size + 1))]
        assert seen(store, lambda tx: tx.hashes(1, 0, 9)) == [
            root_of(leaves[:WIDTH]),
            root_of(leaves[WIDTH : 2 * WIDTH]),
        ]
        assert seen(store, lambda tx: tx.hashes(0, 3, 2)) == leaves[3:5]
        assert seen(store, lambda tx: tx.hashes(1, 1, 9)) == [root_of(leaves[WIDTH : 2 * WIDTH])]
        assert seen(store, lambda tx: tx.hashes(2, 0, 9)) == []
        assert seen(store, lambda tx: Tree(size, tx.hashes).root()) == root_of(leaves)

    def test_the_record_begins_empty(self, empty: Store) -> None:
        assert seen(empty, lambda tx: tx.head()) == Frontier()
        assert seen(empty, lambda tx: tx.entries(0, 9)) == []
        assert seen(empty, lambda tx: tx.checkpoints()) == []

    def test_one_transaction_may_append_many(self, store: Store) -> None:
        assert do(store, lambda tx: [tx.append(v.entry(n), NOW) for n in range(70)]) == list(range(70))
        self.check_record(store, 70)

    def test_what_was_rolled_back_leaves_no_gap_and_no_trace_in_the_head(self, store: Store) -> None:
        def append(tx: Tx) -> int:
            return tx.append(v.entry(), NOW)

        failing = raising(Oops(), lambda tx: [append(tx) for _ in range(3)])
        results = do_all(store, [failing, append, failing, append, append, failing])
        assert [result for result in results if isinstance(result, int)] == [0, 1, 2]
        self.check_record(store, 3)

    def test_checkpoints_are_kept_in_order_and_the_same_one_once(self, store: Store) -> None:
        for size, note in ((3, "three"), (1, "one"), (3, "three"), (3, "three by another key")):
            do(store, methodcaller("add_checkpoint", size, note))
        assert seen(store, lambda tx: tx.checkpoints()) == ["three", "one", "three by another key"]

    @given(
        st.lists(st.tuples(st.integers(0, 40), st.sampled_from([1, 1, 4])), max_size=60),
        st.integers(1, 9),
        st.integers(1, 60),
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    def test_quota_1_a_window_begins_with_the_first_and_gives_so_many(
        self, store: Store, takes: list[tuple[int, int]], most: int, within: int
    ) -> None:
        name, now, rate = f"entries {next(NUMBERS)}", NOW, Rate(most, within)
        taken, ends_at = 0, 0
        for later, ahead in takes:
            now += later
            if now >= ends_at:
                taken, ends_at = 0, now + within
            wait = do(store, methodcaller("take_quota", name, rate, now, ahead))
            assert wait == (0 if taken < most else ends_at - now)
            taken += wait == 0
            if ahead == 1 and taken == most:
                assert seen(store, methodcaller("spent", name, rate, now)) in (0, ends_at - now)

    def test_quota_1_quotas_are_counted_each_by_itself(self, store: Store) -> None:
        rate = Rate(1, 60)
        assert [do(store, methodcaller("take_quota", name, rate, NOW)) for name in ("a", "b", "a")] == [
            0,
            0,
            60,
        ]
        assert [seen(store, methodcaller("spent", name, rate, NOW)) for name in "abc"] == [60, 60, 0]
        assert seen(store, lambda tx: tx.spent("a", rate, NOW + 60)) == 0

    @pytest.mark.parametrize("ahead", [1, 2])
    def test_a_clock_that_went_wrong_for_a_while_keeps_nobody_out(self, store: Store, ahead: int) -> None:
        """Nor does a window that was longer under the policy of before."""
        rate = Rate(3, 60)
        for _ in range(3):
            do(store, methodcaller("take_quota", "a", rate, NOW + 3600, ahead))
        assert do(store, methodcaller("take_quota", "a", rate, NOW + 3600, ahead)) == 60
        assert seen(store, methodcaller("spent", "a", rate, NOW)) == 0
        assert [do(store, methodcaller("take_quota", "a", rate, NOW, ahead)) for _ in range(4)] == [
            0,
            0,
            0,
            60,
        ]

    def test_what_was_taken_ahead_and_rolled_back_is_not_given(self, store: Store) -> None:
        rate = Rate(3, 60)
        take = methodcaller("take_quota", "entries", rate, NOW, 3)
        with pytest.raises(Oops):
            do(store, raising(Oops(), take))
        assert [do(store, take) for _ in range(4)] == [0, 0, 0, 60]

    def test_what_is_rolled_back_for_one_takes_nothing_ahead_from_another(self, store: Store) -> None:
        """Anybody can have a transaction rolled back, without being anybody."""
        rate = Rate(100, 60)
        take = methodcaller("take_quota", "ada", rate, NOW, 10)
        taken = 0
        while do(store, take) == 0:
            taken += 1
            for doing in (lambda tx: None, methodcaller("take_quota", "bob", rate, NOW, 10), take):
                with pytest.raises(Oops):
                    do(store, raising(Oops(), doing))
        assert taken == 100

    @given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=80))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
    def test_quota_3_of_many_nobody_takes_anything_from_another(
        self, store: Store, takes: list[tuple[str, bool]]
    ) -> None:
        """However many there are, and whatever is rolled back: what is counted ahead for one makes room, uncounted."""
        names = {each: f"entries {each} {next(NUMBERS)}" for each in "abcd"}
        taken, most = dict.fromkeys(names, 0), 6
        with mock.patch.object(transaction, "MOST_AHEAD", 2):
            for each, fails in takes:
                take = methodcaller("take_quota", names[each], Rate(most, 60), NOW, 4)
                if fails:
                    with pytest.raises(Oops):
                        do(store, raising(Oops(), take))
                else:
                    assert do(store, take) == (0 if taken[each] < most else 60)
                    taken[each] = min(taken[each] + 1, most)

    def test_quota_3_what_waits_for_a_user_is_counted_by_agent(self, store: Store) -> None:
        url, other = ClientId("https://a.example/agent.json"), ClientId("https://b.example/agent.json")
        do(store, methodcaller("put", v.agent(url, jkt=None, user_id=None)))
        for number, client_id in enumerate((url, url, other, v.client_id(), None)):
            call = v.call(
                number, client_id=client_id, grant_id=None, state=State.PENDING, deadline=NOW + 9 + number
            )
            do(store, methodcaller("add", call))
        do(store, methodcaller("add", v.call("over", state=State.PENDING, deadline=NOW)))
        do(store, methodcaller("add", v.call("done", state=State.APPROVED)))

        def waiting(user: UserId, client_id: ClientId | None) -> Waiting:
            return seen(store, lambda tx: tx.waiting(Quota.PENDING_CALLS, user, client_id, NOW))

        assert waiting(v.user_id(), url) == Waiting(2, NOW + 9)
        assert waiting(v.user_id(), other) == Waiting(1, NOW + 11)
        assert waiting(v.user_id(), None) == Waiting(2, NOW + 12)  # those in browsers, and the page itself
        assert waiting(v.user_id("bob"), url) == Waiting(0, 0)
        do(store, methodcaller("add", v.grant("asking", expires_at=NOW + 5)))
        do(store, methodcaller("add", v.grant("given", state=GrantState.ACTIVE)))
        assert seen(store, lambda tx: tx.waiting(Quota.PENDING_CONSENTS, v.user_id(), None, NOW)) == Waiting(
            1, NOW + 5
        )
        assert seen(
            store, lambda tx: tx.waiting(Quota.PENDING_CONSENTS, v.user_id(), None, NOW + 5)
        ) == Waiting(0, 0)
        assert seen(store, lambda tx: tx.waiting(Quota.PENDING_CONSENTS, v.user_id(), url, NOW)) == Waiting(
            0, 0
        )

    def test_block_1_a_block_bars_whom_it_names_for_as_long_as_it_says(self, store: Store) -> None:
        ada, bob, agent = v.user_id(), v.user_id("bob"), v.client_id()
        by_ada = Block(ada, agent, NOW, NOW + 60, v.grant_id())
        by_owner, of_user = Block(None, v.client_id("bad"), NOW), Block(bob, None, NOW)
        for block in (by_ada, by_owner, of_user):
            do(store, methodcaller("put", block))

        def barring(user: UserId | None, client_id: ClientId | None, now: int = NOW) -> list[Block]:
            return seen(store, lambda tx: tx.barring(user, client_id, now))

        assert barring(ada, agent) == barring(ada, agent, NOW + 59) == [by_ada]
        assert barring(ada, agent, NOW + 60) == barring(ada, None) == barring(None, agent) == []  # TOKEN-5
        assert barring(bob, agent) == barring(bob, None) == [of_user]
        assert (
            barring(ada, v.client_id("bad"), NOW + 10**9) == barring(None, v.client_id("bad")) == [by_owner]
        )
        assert seen(store, lambda tx: tx.blocks(ada, NOW)) == [by_ada]
        assert seen(store, lambda tx: tx.blocks(bob, NOW)) == []
        longer = replace(by_ada, until=None)
        do(store, methodcaller("put", longer))
        assert barring(ada, agent, NOW + 10**9) == [longer]
        assert do(store, methodcaller("lift_block", ada, agent)) is True
        assert do(store, methodcaller("lift_block", ada, agent)) is False
        assert barring(ada, agent) == []

    def test_all_sessions_of_a_user_end(self, store: Store) -> None:
        others = v.session("other", user_id=v.user_id("bob"))
        for session in (v.session("one"), v.session("two"), others):
            do(store, methodcaller("add", session))
        do(store, methodcaller("end_sessions", v.user_id()))
        left = [seen(store, methodcaller("session", v.digest(name))) for name in ("one", "two", "other")]
        assert left == [None, None, others]

    def test_all_sessions_end_that_come_from_one_elsewhere(self, store: Store) -> None:
        others = v.session("other", sid="https://site.example s2"), v.session("own")
        for session in (v.session("one", sid="https://site.example s1"), *others):
            do(store, methodcaller("add", session))
        do(store, methodcaller("end_sessions_of", "https://site.example s1"))
        left = [seen(store, methodcaller("session", v.digest(name))) for name in ("one", "other", "own")]
        assert left == [None, *others]

    def test_a_dropped_challenge_makes_room_for_another(self, store: Store) -> None:
        do(store, lambda tx: tx.add(v.challenge(subject="first")))
        do(store, lambda tx: tx.drop_challenge(v.challenge_id()))
        assert seen(store, lambda tx: tx.challenge(v.challenge_id())) is None
        do(store, lambda tx: tx.drop_challenge(v.challenge_id()))
        do(store, lambda tx: tx.add(v.challenge(subject="second")))
        found = seen(store, lambda tx: tx.challenge(v.challenge_id()))
        assert found is not None
        assert found.subject == "second"

    # Windows of enrollment

    def test_cred_7_a_window_is_closed_once_and_only_while_it_is_open(self, store: Store) -> None:
        assert not do(store, lambda tx: tx.close_enrollment(v.user_id(), NOW))
        do(store, lambda tx: tx.open_enrollment(v.user_id(), NOW + 5))
        found = seen(store, lambda tx: tx.user(v.user_id()))
        assert found == v.user(enrolls_until=NOW + 5)
        assert not do(store, lambda tx: tx.close_enrollment(v.user_id(), NOW + 5))
        assert do(store, lambda tx: tx.close_enrollment(v.user_id(), NOW + 4))
        assert not do(store, lambda tx: tx.close_enrollment(v.user_id(), NOW + 4))

    # Sweeping

    def test_a_sweep_deletes_what_has_run_out_and_nothing_else(self, store: Store) -> None:
        def fill(tx: Tx) -> None:
            for ends in (NOW, NOW + 1):
                tx.use_proof(v.proof(ends, keep_until=ends))
                tx.add(v.challenge(ends, expires_at=ends - 600))  # its reason is told a while longer
                tx.add_recovery(v.digest(ends), v.user_id(), ends)
                tx.add(v.session(ends, expires_at=ends))
                tx.add(v.grant(ends, expires_at=ends))
                tx.take_quota(f"quota {ends}", Rate(1, 60), ends - 60)
                tx.put(Block(v.user_id(), v.client_id(ends), NOW - 60, ends))
                tx.put(Quiet(v.user_id(), f"{ends}", NOW - 60, ends))
                tx.add(Decline(v.user_id(), "asker", NOW - 60, ends))
                tx.add(Phone(f"{ends}", "07", ends))
                tx.add(v.request(ends, expires_at=ends - 600))  # its answer is told a while longer
            for state in GrantState:
                if state is not GrantState.PENDING:
                    tx.add(v.grant(state.value, state=state, expires_at=NOW))
            tx.add(v.call(deadline=NOW))
            tx.put(Block(v.user_id(), v.client_id("for good"), NOW - 60))

        do(store, fill)
        assert do(store, lambda tx: tx.sweep(NOW)) == 11
        assert do(store, lambda tx: tx.sweep(NOW)) == 0

        def left(tx: Tx) -> list[bool]:
            return [
                found
                for ends in (NOW, NOW + 1)
                for found in (
                    tx.challenge(v.challenge_id(ends)) is not None,
                    tx.recovery(v.digest(ends), 0) is not None,
                    tx.session(v.digest(ends)) is not None,
                    tx.grant(v.grant_id(ends)) is not None,
                    tx.request(f"req_{ends}") is not None,
                    tx.spent(f"quota {ends}", Rate(1, 60), ends - 60) > 0,
                    tx.barring(v.user_id(), v.client_id(ends), ends - 1) != [],
                    not tx.use_proof(v.proof(ends)),
                    tx.phone(f"{ends}") is not None,
                )
            ]

        assert do(store, left) == [False] * 9 + [True] * 9
        assert seen(store, lambda tx: tx.barring(v.user_id(), v.client_id("for good"), NOW)) != []
        assert seen(store, lambda tx: tx.call(v.call_id())) is not None
        for state in GrantState:
            if state is not GrantState.PENDING:
                assert seen(store, methodcaller("grant", v.grant_id(state.value))) is not None

    def test_sweeps_repeated_delete_any_number(self, store: Store) -> None:
        do(store, lambda tx: [tx.use_proof(v.proof(n, keep_until=NOW + n % 7)) for n in range(2500)])
        swept = 0
        while found := do(store, lambda tx: tx.sweep(NOW + 6)):
            swept += found
        assert swept == 2500

    # What tests here ask often

    def active(self, store: Store) -> object:
        found = seen(store, lambda tx: tx.active_grant(v.user_id(), v.client_id(), v.jkt()))
        return found and found.grant_id

    def overdue(self, store: Store, limit: int) -> list[Call]:
        return do(store, lambda tx: tx.overdue_calls(NOW, limit))

    def check_record(self, store: Store, size: int) -> None:
        """Check that the head is the tree over exactly the entries that are there."""
        head, entries = seen(store, lambda tx: (tx.head(), tx.entries(0, size + 1)))
        assert head.size == len(entries) == size
        assert [one.index for one in entries] == list(range(size))
        assert head.root() == root_of([one.leaf_hash for one in entries])
        assert all(one.leaf_hash == leaf_hash(one.leaf) for one in entries)
