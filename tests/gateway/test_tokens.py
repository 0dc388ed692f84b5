"""Given a bearer token, the verifier takes what PyJWT makes for us and refuses everything that is odd."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest

from gateway.errors import TokenError
from gateway.tokens import Shopper, TokenVerifier, demo_secret, mint

SECRET = b"0123456789abcdef0123456789abcdef"
OTHER = b"fedcba9876543210fedcba9876543210"
NOW_S = int(time.time())
HEADER = {"alg": "HS256", "typ": "JWT"}
AMY = {"sub": "amy", "exp": NOW_S + 3600}


def verifier(*secrets: bytes, **options: Any) -> TokenVerifier:
    return TokenVerifier(secrets or (SECRET,), **({"token_max_bytes": 4096, "cache_max": 100} | options))


def verify(token: str | bytes, **options: Any) -> Shopper:
    text = token if isinstance(token, bytes) else token.encode()
    return verifier(**options).verify(b"Bearer " + text, NOW_S)


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(header: Any, claims: Any, *, secret: bytes = SECRET) -> str:
    """A token of any header and claims, given as objects or as JSON text, with a true signature."""
    parts = [
        encode(part.encode() if isinstance(part, str) else json.dumps(part).encode()) for part in (header, claims)
    ]
    signed = ".".join(parts)
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def refused(token: str | bytes, says: str, **options: Any) -> None:
    with pytest.raises(TokenError, match=says):
        verify(token, **options)


# What is taken.


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"nbf": NOW_S},
        {"nbf": NOW_S - 0.5},
        {"iat": NOW_S, "iss": "shop", "jti": "x", "scope": {"a": [1, {"b": 2}]}},
        {"level": 3},
        {"since": 1_500_000_000},
        {"birthday": "02-29"},
        {"note": 'colons: in "text", and \\ too'},
    ],
)
@pytest.mark.parametrize("headers", [None, {"kid": "2026-11"}, {"typ": "JWT", "kid": 'a "b": c'}])
def test_what_pyjwt_makes_and_takes_is_taken(claims: dict[str, Any], headers: dict[str, Any] | None) -> None:
    token = jwt.encode(AMY | claims, SECRET, algorithm="HS256", headers=headers)
    said = jwt.decode(token, SECRET, algorithms=["HS256"])
    shopper = verify(token)
    assert shopper.id.decode() == said["sub"]
    assert shopper.expires_at_s == said["exp"]
    assert shopper.level == said.get("level", 0)
    assert (shopper.since_s, shopper.birthday) == (said.get("since"), said.get("birthday"))


def test_what_we_mint_pyjwt_takes() -> None:
    said = jwt.decode(mint(SECRET, "王小明", ttl_s=60, level=2), SECRET, algorithms=["HS256"])
    assert (said["sub"], said["level"], said["exp"] - said["iat"]) == ("王小明", 2, 60)


@pytest.mark.parametrize(
    "sub",
    [
        "a",
        " ",
        "a b",
        '"',
        "'",
        "a|b,c.d:e;f",
        "{}",
        "王",
        "😀",
        "👨\u200d👩",
        "e\u0301",
        "\u00a0",
        "界" * 64,
        "x" * 64,
    ],
)
def test_printable_subjects_are_taken_as_their_bytes(sub: str) -> None:
    assert verify(jwt.encode(AMY | {"sub": sub}, SECRET)).id == sub.encode()
    assert verify(forge(HEADER, json.dumps(AMY | {"sub": sub}, ensure_ascii=False))).id == sub.encode()


def test_the_scheme_is_not_case_sensitive_and_may_be_padded() -> None:
    token = mint(SECRET, "amy", ttl_s=60).encode()
    for value in (b"bearer " + token, b"BEARER  " + token, b"Bearer " + token + b" "):
        assert verifier().verify(value, NOW_S).id == b"amy"


def test_header_without_a_typ_and_with_members_in_any_order() -> None:
    assert verify(forge({"alg": "HS256"}, AMY)).id == b"amy"
    assert verify(forge('{ "typ" : "JWT" , "alg" : "HS256" }', AMY)).id == b"amy"


# What is refused.


@pytest.mark.parametrize("value", [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"amy", b"Bearer a", b"Bearer a.b"])
def test_no_token(value: bytes) -> None:
    with pytest.raises(TokenError):
        verifier().verify(value, NOW_S)


def test_expired_to_the_second() -> None:
    token = jwt.encode({"sub": "amy", "exp": NOW_S + 10}, SECRET)
    one = verifier()
    value = b"Bearer " + token.encode()
    assert one.verify(value, NOW_S + 9.99).id == b"amy"
    # Remembered tokens expire like others.
    for now_s in (NOW_S + 10, NOW_S + 11):
        with pytest.raises(TokenError, match="expired"):
            one.verify(value, now_s)


def test_not_yet_valid() -> None:
    value = b"Bearer " + jwt.encode(AMY | {"nbf": NOW_S + 10}, SECRET).encode()
    one = verifier()
    for _ in range(2):
        with pytest.raises(TokenError, match="not valid yet"):
            one.verify(value, NOW_S + 9.9)
    assert one.verify(value, NOW_S + 10).id == b"amy"


def test_forged_in_any_part() -> None:
    token = mint(SECRET, "amy", ttl_s=60)
    header, payload, signature = token.split(".")
    other = mint(SECRET, "bob", ttl_s=60).split(".")
    refused(mint(OTHER, "amy", ttl_s=60), "signature")
    refused(f"{header}.{other[1]}.{signature}", "signature")
    refused(f"{header}.{payload}.{other[2]}", "signature")
    refused(f"{header}.{payload}.", "signature")
    refused(f"{header}.{payload}.{signature[:-2]}", "signature")
    refused(
        f"{encode(json.dumps({'alg': 'HS256', 'typ': 'JWT', 'x': 1}).encode())}.{payload}.{signature}", "signature"
    )


def test_a_signature_in_another_spelling_is_refused() -> None:
    token = mint(SECRET, "amy", ttl_s=60)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    # The last character carries four bits: three others decode to the same bytes.
    last = alphabet.index(token[-1])
    spellings = [token[:-1] + alphabet[last ^ bits] for bits in (1, 2, 3)]
    for other in [*spellings, f"{token}=", f"{token}\n"]:
        refused(other, "signature|three parts")


@pytest.mark.parametrize("alg", ["none", "None", "HS384", "HS512", "RS256", "hs256", "", None, 256, ["HS256"]])
def test_another_algorithm(alg: Any) -> None:
    refused(forge({"alg": alg, "typ": "JWT"}, AMY), "alg must be HS256")


def test_algorithm_none_without_a_signature() -> None:
    refused(jwt.encode(AMY, "", algorithm="none"), "alg|signature|parts")


@pytest.mark.parametrize("typ", ["receipt", "jwt", "at+jwt", "", None, 1])
def test_another_typ(typ: Any) -> None:
    refused(forge({"alg": "HS256", "typ": typ}, AMY), "typ")


@pytest.mark.parametrize("crit", [["exp"], [], None, "b64"])
def test_crit(crit: Any) -> None:
    refused(forge(HEADER | {"crit": crit}, AMY), "crit")


@pytest.mark.parametrize(
    "claims",
    [
        f'{{"sub":"amy","sub":"bob","exp":{NOW_S + 60}}}',
        f'{{"sub":"amy","exp":{NOW_S + 60},"exp":{NOW_S + 90}}}',
        f'{{"sub":"amy","s\\u0075b":"bob","exp":{NOW_S + 60}}}',
        f'{{"sub":"a:b","level":1,"level":1,"exp":{NOW_S + 60}}}',
        f'{{"sub":"amy","exp":{NOW_S + 60},"x":{{"a":1,"a":2}}}}',
    ],
    ids=["sub", "exp", "an escaped sub", "level", "within a claim"],
)
def test_duplicate_claims(claims: str) -> None:
    refused(forge(HEADER, claims), "twice")


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"HS256","alg":"HS256"}',
        '{"alg":"none","alg":"HS256","typ":"JWT"}',
        '{"typ":"JWT","typ":"JWT","alg":"HS256"}',
    ],
)
def test_duplicate_members_of_the_header(header: str) -> None:
    refused(forge(header, AMY), "twice")


@pytest.mark.parametrize(
    ("sub", "says"),
    [
        ("", "1 to 64"),
        ("x" * 65, "1 to 64"),
        ("界" * 65, "1 to 64"),
        (1, "1 to 64"),
        (None, "1 to 64"),
        (["amy"], "1 to 64"),
        (True, "1 to 64"),
        *((f"a{control}b", "control") for control in "\x00\x01\t\n\r\x1f\x7f\x80\x9f\u2028\u2029"),
    ],
)
def test_a_subject_that_is_none(sub: Any, says: str) -> None:
    refused(forge(HEADER, AMY | {"sub": sub}), says)


def test_a_lone_surrogate_as_subject() -> None:
    refused(forge(HEADER, f'{{"sub":"\\ud800","exp":{NOW_S + 60}}}'), "JSON|control|characters")


@pytest.mark.parametrize(
    "exp", [NOW_S + 60.0, NOW_S + 0.5, str(NOW_S + 60), True, None, [], -1, 10**12, 10**30], ids=type
)
def test_an_expiry_that_is_no_whole_number_of_seconds(exp: Any) -> None:
    refused(forge(HEADER, AMY | {"exp": exp}), "exp|JSON")


def test_missing_claims() -> None:
    refused(forge(HEADER, {"sub": "amy"}), "exp")
    refused(forge(HEADER, {"exp": NOW_S + 60}), "sub")


@pytest.mark.parametrize(
    "claim",
    [
        *({"nbf": value} for value in ("now", True, None, -1)),
        *({"level": value} for value in (-1, 1.0, True, "1", None, 10**7)),
        *({"since": value} for value in (1.5, "x", True, -1)),
        *({"birthday": value} for value in ("2-9", "13-01", "02-30x", "00-10", "01-32", 229)),
    ],
)
def test_claims_of_another_form(claim: dict[str, Any]) -> None:
    refused(forge(HEADER, AMY | claim), next(iter(claim)))


@pytest.mark.parametrize("part", ["null", "[]", '"x"', "1", "{", "", "\x00", "{'sub':'amy'}", "NaN", '{"a":NaN}'])
def test_parts_that_are_no_objects(part: str) -> None:
    refused(forge(HEADER, part), "token")
    refused(forge(part, AMY), "token")


def test_text_outside_the_alphabet() -> None:
    header, payload, signature = forge(HEADER, AMY | {"sub": "??>>~~"}).split(".")
    for spoiled in (
        payload + "=",
        payload + " ",
        "*" + payload,
        payload[:-1] + "\u00e9",
        payload + "A===",
        payload.replace("-", "+"),
    ):
        for token in (f"{header}.{spoiled}.{signature}", f"{spoiled}.{payload}.{signature}"):
            if token != f"{header}.{payload}.{signature}":
                refused(token.encode("latin-1"), "token")
    # Also with a true signature over them.
    for spoiled in (payload + "=", payload[:8] + "\n" + payload[8:], payload[:8] + "+" + payload[9:], "A"):
        signed = f"{header}.{spoiled}"
        refused(f"{signed}.{encode(hmac.digest(SECRET, signed.encode(), 'sha256'))}", "JSON")


def test_too_long() -> None:
    refused(b"x" * 5000, "longer than 4096")
    refused(forge(HEADER, AMY | {"note": "n" * 4000}), "longer than 4096")
    assert verify(forge(HEADER, AMY | {"note": "n" * 4000}), token_max_bytes=8192).id == b"amy"


def test_more_or_fewer_parts() -> None:
    token = mint(SECRET, "amy", ttl_s=60)
    for other in (f"{token}.x", f".{token}", "a..b", "..", ".", f"x.{token}"):
        refused(other, "three parts|signature|header")


def test_a_header_nested_deeper_than_python_reads() -> None:
    deep = '{"alg":"HS256","x":":","y":' + "[" * 1015 + "]" * 1015 + "}"
    refused(forge(deep, AMY), "token", token_max_bytes=8192)
    refused(forge(HEADER, deep), "token", token_max_bytes=8192)


# Rotation, memory, demo.


def test_while_a_secret_is_rotated_both_are_taken() -> None:
    both = verifier(OTHER, SECRET)
    for secret in (SECRET, OTHER):
        assert both.verify(b"Bearer " + mint(secret, "amy", ttl_s=60).encode(), NOW_S).id == b"amy"
    with pytest.raises(TokenError):
        both.verify(b"Bearer " + mint(b"x" * 32, "amy", ttl_s=60).encode(), NOW_S)


def test_a_long_secret_is_hashed_like_anybody_does() -> None:
    long = b"s" * 200
    assert verifier(long).verify(b"Bearer " + jwt.encode(AMY, long).encode(), NOW_S).id == b"amy"


def test_what_is_remembered_is_bounded() -> None:
    one = verifier(cache_max=10)
    values = [b"Bearer " + mint(SECRET, f"s{number}", ttl_s=600).encode() for number in range(60)]
    # A token that came once is not remembered,
    for value in values:
        one.verify(value, NOW_S)
    assert not one._known
    # one that came twice is, and never more than so many.
    for value in values:
        one.verify(value, NOW_S)
        one.verify(value, NOW_S)
        assert len(one._known) <= 10
    assert values[-1] in one._known
    # Refused ones are not remembered at all.
    with pytest.raises(TokenError):
        one.verify(b"Bearer x.y.z", NOW_S)
    assert b"Bearer x.y.z" not in one._known
    for number in range(200):
        one.verify(b"Bearer " + forge(HEADER | {"kid": str(number)}, AMY).encode(), NOW_S)
    assert len(one._heads) <= 64


def test_demo_tokens_are_taken_only_by_a_demo_and_only_for_demo_shoppers() -> None:
    secret = demo_secret(OTHER)
    token = mint(secret, "demo-amy", ttl_s=60)
    assert verify(token, demo_secret=secret).demo is True
    assert verify(mint(SECRET, "demo-amy", ttl_s=60), demo_secret=secret).demo is False
    refused(token, "signature")
    refused(mint(secret, "amy", ttl_s=60), "demo", demo_secret=secret)
