"""What is left out when addresses, commands and specifications are written down, and what is not."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fdl_zoo.tracking.names import flattened
from fdl_zoo.tracking.secrets import is_secret, redacted, redacted_command, redacted_yaml, without_secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:pass@host:5000/x", "http://***@host:5000/x"),
        ("see postgresql+psycopg2://u:p%40w@db/x, or not", "see postgresql+psycopg2://***@db/x, or not"),
        ("https://token@host", "https://***@host"),
        ("http://me:p@ss@host/x", "http://***@host/x"),
        ("http://me:pa/ss@host", "http://***@host"),
        ("http://me:12345@host", "http://***@host"),
        ("http://me:1234/5@host", "http://***@host"),
        ("http://me:1234,5@host", "http://***@host"),
        ("http://:pw@host", "http://***@host"),
        ("--tracking-uri http://h?access_token=abc&x=1", "--tracking-uri http://h?access_token=***&x=1"),
        ("DB_PASSWORD=abc fdl train mlp", "DB_PASSWORD=*** fdl train mlp"),
        ("AWS_SECRET_ACCESS_KEY=ab/c+d= x", "AWS_SECRET_ACCESS_KEY=*** x"),
        ("api-key: abc, pwd=1", "api-key: *** pwd=***"),
        ("http://h/x?sig=abc&y=1", "http://h/x?sig=***&y=1"),
        ("passwd:zz token = t", "passwd:*** token = ***"),
        ("Authorization: Bearer abc", "Authorization: Bearer ***"),
        ('{"password": "a", "x": 1}', '{"password": "***", "x": 1}'),
    ],
)
def test_secrets_are_left_out_of_texts(text, expected):
    assert redacted(text) == expected
    assert redacted(expected) == expected


@pytest.mark.parametrize(
    "text",
    [
        "http://host/@handle and me@mail.org",
        "http://host:5000/x",
        "http://localhost:5000/x@y",
        "http://127.0.0.1:5000/#/models/digits@champion",
        "http://[::1]:5000/x@y",
        "http://host:5000 of me@mail.org",
        "sqlite:////a/b@c/mlflow.db",
        "learning_rate=0.1 monitor=val_loss design=3",
        "num_tokens=3 tokenizer=bpe pad_token=<pad> vocabulary: 20",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


_USERS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"], exclude_characters="/:@"))
_PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1) | st.from_regex(
    r"\A\d{1,6}[/?#,;'\"]\w*\Z"
)


@given(_USERS, _PASSWORDS, st.sampled_from(["host", "host:5000/x", "127.0.0.1/x?y=1", "[::1]:5000"]))
def test_whatever_the_password_nothing_of_it_stays(user, password, place):
    text = f"see http://{user}:{password}@{place} or me@mail.org"
    assert redacted(text) == f"see http://***@{place} or me@mail.org"


def test_keys():
    secret = "data.password", "AWS_SECRET_ACCESS_KEY", "--api-key", "hf_token", "query.sig", "pwd", "accountKey"
    assert all(map(is_secret, secret))
    assert not any(map(is_secret, ("num_tokens", "start_token", "design", "config", "key", "monitor", "secretary")))


def test_values_go_by_their_keys_at_any_depth():
    given = {"data": {"name": "web", "password": 1234, "users": [{"token": "abc", "id": 5}]}, "note": "pwd=x"}
    hidden = {"data": {"name": "web", "password": "***", "users": [{"token": "***", "id": 5}]}, "note": "pwd=***"}
    assert without_secrets(given) == hidden
    assert without_secrets({"password": None, "use_token": True}) == {"password": None, "use_token": True}
    assert dict(flattened(given))["data.password"] == "***"


def test_a_specification_without_secrets_stays_as_it_was_written():
    text = "model: mlp\ntracking: {uri: 'http://host:5000'}\n"
    assert redacted_yaml(text) == text
    spec = "data: {name: web, password: 'a b, c'}\ntracking: {uri: 'http://me:p@ss@host'}\n"
    assert yaml.safe_load(redacted_yaml(spec)) == {
        "data": {"name": "web", "password": "***"}, "tracking": {"uri": "http://***@host"},
    }  # fmt: skip


def test_a_command_is_hidden_by_its_arguments():
    words = ["fdl", "train", "--set", "data.password=it's a secret", "--api-key", "abc", "--lr", "0.1"]
    assert redacted_command(words) == "fdl train --set 'data.password=***' --api-key '***' --lr 0.1"
