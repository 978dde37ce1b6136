"""What a tenant has of something leaves room for the others, and is given back."""

import pytest

from services.triggers.shares import Shares
from shared.domain.problem import Problem


def test_one_tenants_are_nobody_elses() -> None:
    shares = Shares(2)
    shares.take("acme")
    assert not shares.is_out("acme")
    shares.take("acme")
    assert shares.is_out("acme")
    assert not shares.is_out("other")
    shares.take("other")
    assert len(shares) == 3
    shares.give_back("acme")
    assert not shares.is_out("acme")
    assert len(shares) == 2


def test_a_place_is_held_for_as_long_as_it_is_used() -> None:
    shares = Shares(1)
    with shares.held("acme"):
        with pytest.raises(Problem) as refused, shares.held("acme"):
            pytest.fail("there was a second place")
        assert refused.value.code == "unavailable"
        with shares.held("other"):
            assert len(shares) == 2
    with pytest.raises(ZeroDivisionError), shares.held("acme"):
        raise ZeroDivisionError
    assert len(shares) == 0
