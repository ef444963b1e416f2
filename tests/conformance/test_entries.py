"""Every registered entry and variant, held against the kit that plugin authors use."""

import pytest

from fdl_zoo.testing import conformance

EXCUSES = {"models": {}, "optimizers": {}, "callbacks": {}, "datasets": {}}


@conformance("models", excuses=EXCUSES["models"], slow=pytest.mark.slow)
def test_models(name, check):
    check(name)


@conformance("optimizers", excuses=EXCUSES["optimizers"], slow=pytest.mark.slow)
def test_optimizers(name, check):
    check(name)


@conformance("callbacks", excuses=EXCUSES["callbacks"], slow=pytest.mark.slow)
def test_callbacks(name, check):
    check(name)


@conformance("datasets", excuses=EXCUSES["datasets"], slow=pytest.mark.slow)
def test_datasets(name, check):
    check(name)
