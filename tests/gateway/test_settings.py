"""Given an environment, settings are read once, checked, and refused with the name of what is wrong."""

from __future__ import annotations

import ipaddress

import pytest

from gateway.errors import SettingsError
from gateway.settings import Bind, Rate, Settings, describe

SECRET = "s" * 32


def read(**environ: str) -> Settings:
    return Settings.from_env({f"SECKILL_{name.upper()}": value for name, value in environ.items()})


def test_without_any_variable_the_defaults_hold() -> None:
    settings = read()
    assert settings == Settings()
    assert (settings.durability, settings.rate_per_shopper, settings.lease_ms) == ("strict", Rate(5, 1000), 200)


def test_values_are_read_in_their_units() -> None:
    settings = read(
        token_secret=f"{SECRET}1, {SECRET}2",
        rate_per_shopper="300/m",
        rate_per_ip="off",
        rate_total=" 7 / s ",
        metrics_bind="[::1]:9000",
        trusted_proxies="10.0.0.0/8, ::1, 192.168.1.5/24",
        cors_origins="https://a.example, https://b.example",
        demo="yes",
        workers="3",
        timezone="Asia/Taipei",
        currency="TWD",
        durability="relaxed",
        payment_provider="sandbox",
    )
    assert settings.token_secret == (f"{SECRET}1".encode(), f"{SECRET}2".encode())
    assert (settings.rate_per_shopper, settings.rate_per_ip) == (Rate(300, 60_000), Rate(0, 1000))
    assert settings.rate_total == Rate(7, 1000)
    assert settings.metrics_bind == Bind("::1", 9000)
    assert settings.trusted_proxies[2] == ipaddress.ip_network("192.168.1.0/24")
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert (settings.demo, settings.workers, settings.timezone) == (True, 3, "Asia/Taipei")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("token_secret", "short", "32 bytes"),
        ("token_secret", f"{SECRET},short", "32 bytes"),
        ("admin_key", "x" * 31, "32 bytes"),
        ("signing_secret", "x", "32 bytes"),
        ("rate_per_shopper", "5", "5/s"),
        ("rate_per_shopper", "5/h", "5/s"),
        ("rate_per_ip", "0/s", "5/s"),
        ("rate_total", "-1/s", "5/s"),
        ("rate_total", "1.5/s", "5/s"),
        ("metrics_bind", "9464", "host:port"),
        ("metrics_bind", ":9464", "host:port"),
        ("metrics_bind", "localhost:99999", "host:port"),
        ("metrics_bind", "localhost:x", "host:port"),
        ("trusted_proxies", "10.0.0.0/99", "10.0.0.0/99"),
        ("trusted_proxies", "proxy", "proxy"),
        ("durability", "always", "strict or relaxed"),
        ("durability_unverified", "maybe", "1 or 0"),
        ("demo", "2", "1 or 0"),
        ("timezone", "Mars/Base", "time zone"),
        ("timezone", "", "time zone"),
        ("database_url", "", "sqlite:/// or postgresql://"),
        ("database_url", "nonsense", "sqlite:/// or postgresql://"),
        ("database_url", "mysql://127.0.0.1/shop", "sqlite:/// or postgresql://"),
        ("currency", "cny", "ISO"),
        ("currency", "YUAN", "ISO"),
        ("payment_provider", "paypal", "sandbox"),
        ("batch_max", "0", "above zero"),
        ("batch_max", "-1", "above zero"),
        ("batch_max", "1e3", "above zero"),
        ("workers", "", "above zero"),
        ("lease_ms", "0.2", "above zero"),
        ("connections_max", "1x", "above zero"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name: str, value: str, says: str) -> None:
    with pytest.raises(SettingsError, match=f"SECKILL_{name.upper()}: .*{says}"):
        read(**{name: value})


def test_all_wrong_values_are_named_at_once() -> None:
    with pytest.raises(SettingsError, match=r"SECKILL_CURRENCY.*SECKILL_BATCH_MAX"):
        read(currency="x", batch_max="x")


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"queue_max": "10", "batch_max": "11"}, "SECKILL_QUEUE_MAX"),
        ({"batch_max": "1001"}, "SECKILL_BATCH_MAX"),
        ({"lease_ms": "1000"}, "SECKILL_LEASE_MS"),
        ({"click_timeout_ms": "15000"}, "SECKILL_SHUTDOWN_TIMEOUT_S"),
        ({"writer_takeover_ms": "8001"}, "SECKILL_WRITER_TAKEOVER_MS"),
        ({"backlog_max": "499"}, "SECKILL_BACKLOG_MAX"),
    ],
)
def test_values_that_contradict_each_other_are_refused(environ: dict[str, str], names: str) -> None:
    with pytest.raises(SettingsError, match=names):
        read(**environ)


@pytest.mark.parametrize(
    "environ",
    [
        {"queue_max": "256"},
        {"batch_max": "1000"},
        {"lease_ms": "999"},
        {"click_timeout_ms": "14999"},
        {"writer_takeover_ms": "8000"},
        {"backlog_max": "500"},
    ],
)
def test_values_at_the_edge_are_taken(environ: dict[str, str]) -> None:
    assert read(**environ) != Settings()


def test_a_role_names_the_secrets_it_lacks() -> None:
    with pytest.raises(SettingsError, match="SECKILL_TOKEN_SECRET, SECKILL_ADMIN_KEY"):
        read().require("token_secret", "admin_key")
    read(token_secret=SECRET).require("token_secret")


def test_signing_falls_back_to_the_admin_key_and_else_says_what_to_set() -> None:
    assert read(admin_key=SECRET).signing_secrets == (SECRET.encode(),)
    assert read(admin_key=SECRET, signing_secret="t" * 32).signing_secrets == (b"t" * 32,)
    with pytest.raises(SettingsError, match="SECKILL_SIGNING_SECRET"):
        _ = read(token_secret=SECRET).signing_secrets


def test_secrets_and_passwords_are_never_shown() -> None:
    settings = read(
        token_secret=SECRET, admin_key="k" * 32, redis_url="redis://:pw@h/0", database_url="postgresql://u:pw@h/d"
    )
    shown = repr(settings)
    assert not any(text in shown for text in (SECRET, "k" * 32, "pw"))


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        read().workers = 2  # type: ignore[misc]


def test_every_default_is_what_its_text_reads_back_as() -> None:
    shown = {name: text for name, text, _ in describe() if text}
    assert Settings.from_env(shown) == Settings()
