"""Given any error that Redis answers a click with, the outcome is certain or `unknown`, and it passes by itself."""

from __future__ import annotations

import contextlib
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from gateway import keys, offers
from gateway.admission.verdicts import Remedy, remedy_of
from tests.conftest import RedisServer, free_port, wait_until
from tests.gateway.conftest import StartGateway
from tests.gateway.failover import Server
from tests.gateway.serving import Gateway
from tests.gateway.test_faults import reasons
from tests.lua.calling import Sale

SCRIPT = " script: c96d186d7a9482a716bc8cc69dbfbc1a5df37e90, on @user_script:295."
OLD = "ERR Error running script (call to f_60b5b39b0e3af83f): @user_script:1: @user_script: 1: "


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("NOSCRIPT No matching script. Please use EVAL.", Remedy.RELOAD),
        ("LOADING Redis is loading the dataset in memory", Remedy.RECONNECT),
        ("READONLY You can't write against a read only replica." + SCRIPT, Remedy.RECONNECT),
        (OLD + "-READONLY You can't write against a read only replica.", Remedy.RECONNECT),
        ("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", Remedy.RECONNECT),
        ("MOVED 3999 127.0.0.1:6381", Remedy.RECONNECT),
        ("ASK 3999 127.0.0.1:6381", Remedy.RECONNECT),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Remedy.REFUSE),
        ("CLUSTERDOWN Hash slot not served", Remedy.RECONNECT),
        ("BUSY Redis is busy running a script.", Remedy.RECONNECT),
        ("UNKILLABLE Sorry the script already executed write commands", Remedy.REFUSE),
        ("OOM command not allowed when used memory > 'maxmemory'." + SCRIPT, Remedy.REFUSE),
        (OLD + "-OOM command not allowed when used memory > 'maxmemory'.", Remedy.REFUSE),
        ("MISCONF Errors writing to the AOF file: No space left on device" + SCRIPT, Remedy.REFUSE),
        ("NOREPLICAS Not enough good replicas to write." + SCRIPT, Remedy.REFUSE),
        ("NOAUTH Authentication required.", Remedy.RECONNECT),
        ("NOPERM this user has no permissions to run the 'evalsha' command", Remedy.RECONNECT),
        ("ERR max number of clients reached", Remedy.RECONNECT),
        # Any of these may come after a write.
        ("NOPERM ACL failure in script: User gate has no permissions to run the 'xadd' command" + SCRIPT, None),
        ("ERR The user executing the script can't run this command or subcommand" + SCRIPT, None),
        (OLD + "The user executing the script can't run this command or subcommand", None),
        ("WRONGTYPE Operation against a key holding the wrong kind of value" + SCRIPT, None),
        ("ERR user_script:7: attempt to index a nil value" + SCRIPT, None),
        ("ERR unknown command 'EVALSHA'", None),
        ("", None),
    ],
)
def test_only_what_comes_before_the_first_write_is_certain(error: str, remedy: Remedy | None) -> None:
    assert remedy_of(error) is remedy


GATE: Any = {"enabled": True, "passwords": ["+pw"], "keys": ["*"], "categories": ["+@all"]}


class Shop:
    """One gateway that signs in as `gate`, the Redis it sells from, and an offer."""

    def __init__(self, server: RedisServer, start: StartGateway, offer: str) -> None:
        # One connection that is there already, whatever happens to new ones.
        self.redis = Redis.from_url(server.url, single_connection_client=True)
        self.redis.acl_setuser("gate", **GATE)
        self.sale = Sale.open(self.redis, offer, stock=100)
        self.gateway = start(server.url.replace("redis://", "redis://gate:pw@"))
        self._shoppers = 0
        assert self.click() == "won"

    def click(self) -> str:
        """What a new shopper hears."""
        self._shoppers += 1
        return self.gateway.outcome(self.sale.id, f"s{self._shoppers}")

    def refuses(self, saying: str, do: Callable[[], Any], undo: Callable[[], Any]) -> None:
        """Every click is `unavailable`, nothing is sold, `readyz` says why; afterwards it sells by itself."""
        left = self.sale.number("left")
        do()
        assert self.click() == "unavailable"
        wait_until(lambda: saying in " ".join(reasons(self.gateway)), what=saying)
        assert self.click() == "unavailable"
        undo()
        wait_until(lambda: self.gateway.status("/readyz") == 200, what="a gateway that is ready again")
        assert self.sale.number("left") == left
        assert self.click() == "won"


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Servers with settings of their own."""
    started: list[Server] = []

    def start(**settings: Any) -> Server:
        usual = {"appendonly": "yes", "appendfsync": "always", "save": '""'}
        named = {name.replace("_", "-"): value for name, value in settings.items()}
        started.append(Server(tmp_path, f"server{len(started)}", usual | named))
        return started[-1].start()

    yield start
    for each in started:
        each.kill()


@pytest.fixture
def shop(own_redis: RedisServer, start_gateway: StartGateway, offer_id: str) -> Iterator[Shop]:
    shop = Shop(own_redis, start_gateway, offer_id)
    yield shop
    shop.redis.close()


def test_errors_that_refuse_every_click(shop: Shop) -> None:
    config, replicaof = shop.redis.config_set, shop.redis.replicaof

    def permit(*commands: str, keys: str = "*") -> None:
        shop.redis.acl_setuser("gate", enabled=True, reset_keys=True, keys=[keys], commands=commands)

    # OOM, NOREPLICAS: at the script's first write.
    shop.refuses("OOM command not", lambda: config("maxmemory", 1), lambda: config("maxmemory", 0))
    least = "min-replicas-to-write"
    shop.refuses(f"{least} asks", lambda: config(least, 1), lambda: config(least, 0))
    # NOPERM: before the script.
    shop.refuses("NOPERM", lambda: permit("-evalsha"), lambda: permit("+evalsha"))
    shop.refuses("NOPERM", lambda: permit(keys="other:*"), permit)
    # READONLY, MASTERDOWN: it is a replica now.
    nowhere = ("127.0.0.1", free_port())
    shop.refuses("this Redis is a replica", lambda: replicaof(*nowhere), lambda: replicaof("NO", "ONE"))
    config("replica-serve-stale-data", "no")
    shop.refuses("MASTERDOWN", lambda: replicaof(*nowhere), lambda: replicaof("NO", "ONE"))
    assert "Traceback" not in shop.gateway.log


def test_errors_that_refuse_the_connection(shop: Shop) -> None:
    redis = shop.redis

    def cut() -> None:
        redis.client_kill_filter(_type="normal", skipme=True)
        wait_until(lambda: shop.gateway.status("/readyz") == 503)

    def crowd() -> None:
        redis.config_set("maxclients", 1)
        cut()

    def forget() -> None:
        redis.acl_deluser("gate")
        wait_until(lambda: shop.gateway.status("/readyz") == 503)

    shop.refuses("max number of clients", crowd, lambda: redis.config_set("maxclients", 1000))
    shop.refuses("WRONGPASS", forget, lambda: redis.acl_setuser("gate", **GATE))


def test_a_password_that_the_gateway_does_not_have(
    own_redis: RedisServer, start_gateway: StartGateway, offer_id: str
) -> None:
    with Redis.from_url(own_redis.url, single_connection_client=True) as redis:
        Sale.open(redis, offer_id, stock=5)
        one = start_gateway(own_redis.url)
        redis.config_set("requirepass", "secret")
        redis.client_kill_filter(_type="normal", skipme=True)
        wait_until(lambda: "NOAUTH" in " ".join(reasons(one)))
        assert one.outcome(offer_id) == "unavailable"
        redis.config_set("requirepass", "")
        wait_until(lambda: one.status("/readyz") == 200)
        assert one.outcome(offer_id) == "won"


def test_a_script_that_does_not_end(shop: Shop, own_redis: RedisServer) -> None:
    shop.redis.config_set("lua-time-limit", 20)

    def loop() -> None:
        with own_redis.client() as client, contextlib.suppress(RedisError):
            client.eval("while true do end", 0)

    looping = threading.Thread(target=loop)
    looping.start()
    wait_until(lambda: shop.click() in {"unavailable", "unknown"})
    wait_until(lambda: "BUSY" in " ".join(reasons(shop.gateway)))
    assert shop.click() == "unavailable"
    shop.redis.script_kill()
    looping.join()
    wait_until(lambda: shop.gateway.status("/readyz") == 200)
    assert shop.click() == "won"


def test_a_redis_that_reads_its_file(
    start_gateway: StartGateway, start_server: Callable[..., Server], offer_id: str
) -> None:
    # Given much data, and a Redis that needs a second to read it.
    server = start_server(loading_process_events_interval_bytes=1024)
    with server.client as client:
        Sale.open(client, offer_id, stock=5)
        client.mset({f"much{number}": "x" * 100 for number in range(2000)})
        client.bgrewriteaof()
        wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"])  # type: ignore[index]
    one = start_gateway(server.url)
    assert one.outcome(offer_id, "zoe") == "won"
    server.kill()
    with server._config.open("a") as config:
        config.write("key-load-delay 500\n")
    starting = threading.Thread(target=server.start)
    starting.start()
    # When it is asked meanwhile, it says so,
    wait_until(lambda: "LOADING" in " ".join(reasons(one)))
    assert one.outcome(offer_id) == "unavailable"
    starting.join()
    wait_until(lambda: one.status("/readyz") == 200)
    # then the sale goes on.
    with server.client as client:
        client.hset(keys.offer(offer_id), "run_id", offers.run_id(client))
    wait_until(lambda: one.outcome(offer_id) == "won")


def test_a_disk_that_is_full(
    start_gateway: StartGateway, start_server: Callable[..., Server], offer_id: str
) -> None:
    # Given a Redis that syncs every second, as it ends itself when it has to sync always and cannot.
    server = start_server(appendfsync="everysec")
    with server.client as redis:
        sale = Sale.open(redis, offer_id, stock=100)
        one = start_gateway(server.url, durability="relaxed")
        assert one.outcome(offer_id, "zoe") == "won"
        server.limit_files(1)
        names = iter(range(1000))
        wait_until(lambda: one.outcome(offer_id, f"s{next(names)}") == "unavailable")
        left = sale.number("left")
        wait_until(lambda: "MISCONF" in " ".join(reasons(one)))
        assert one.outcome(offer_id, "amy") == "unavailable"
        assert sale.number("left") == left
        # Who has a ticket is told.
        assert one.outcome(offer_id, "zoe") == "already_won"
        server.limit_files(resource.RLIM_INFINITY)
        wait_until(lambda: one.status("/readyz") == 200)
        assert one.outcome(offer_id, "amy") == "won"


def test_an_error_after_a_write_is_unknown_and_mine_knows(shop: Shop) -> None:
    # Given a script that fails at its last write,
    redis = shop.redis
    redis.rename(keys.counters(0), "kept")
    redis.set(keys.counters(0), "not a hash")
    reply = shop.gateway.click(shop.sale.id, "amy")
    # then nobody says that it was not sold, because it was.
    assert (reply.status_code, set(reply.json())) == (504, {"outcome", "settled_at"})
    redis.rename("kept", keys.counters(0))
    mine = shop.gateway.get(f"/seckill/{shop.sale.id}/mine", "amy").json()
    assert mine["outcome"] == "won"
    assert shop.gateway.click(shop.sale.id, "amy").json()["order_no"] == mine["tickets"][0]["order_no"]


def test_a_cluster_that_moves_its_slots(
    start_gateway: StartGateway, start_server: Callable[..., Server], offer_id: str
) -> None:
    servers = [start_server(cluster_enabled="yes", cluster_node_timeout=1000) for _ in range(2)]
    with servers[0].client as here, servers[1].client as there:
        one = start_gateway(servers[0].url, ready=False)
        wait_until(lambda: one.status("/healthz") == 200, within_s=20)
        # CLUSTERDOWN: nobody has the slots.
        wait_until(lambda: "CLUSTERDOWN" in " ".join(reasons(one)))
        here.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: one.status("/readyz") == 200)
        sale = Sale.open(here, offer_id, stock=5)
        assert one.outcome(offer_id, "zoe") == "won"
        # TRYAGAIN, ASK: the slot is on its way to another node, some of its keys are still here.
        here.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[1].port)
        other = there.execute_command("CLUSTER", "MYID")
        wait_until(lambda: other in here.execute_command("CLUSTER", "NODES"))
        slot = here.execute_command("CLUSTER", "KEYSLOT", keys.offer(offer_id))
        here.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", other)
        assert one.outcome(offer_id) == "unavailable"
        wait_until(lambda: "TRYAGAIN" in " ".join(reasons(one)))
        here.client_kill_filter(_type="normal", skipme=True)
        wait_until(lambda: "ASK" in " ".join(reasons(one)))
        assert one.outcome(offer_id) == "unavailable"
        here.execute_command("CLUSTER", "SETSLOT", slot, "STABLE")
        wait_until(lambda: one.status("/readyz") == 200)
        assert one.outcome(offer_id) == "won"
        # MOVED: this node never had it.
        lost: Gateway = start_gateway(servers[1].url, ready=False)
        wait_until(lambda: lost.status("/healthz") == 200, within_s=20)
        wait_until(lambda: "MOVED" in " ".join(reasons(lost)))
        assert lost.outcome(offer_id) == "unavailable"
        assert sale.number("left") == 3
