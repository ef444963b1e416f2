"""Importing Keras: the garbage collector rests meanwhile, and is then as it was."""

import gc

import pytest

from fdl_zoo import backend


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_rests_and_is_then_as_it_was(was_enabled):
    (gc.enable if was_enabled else gc.disable)()
    try:
        with backend._uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() is was_enabled
    finally:
        gc.enable()
