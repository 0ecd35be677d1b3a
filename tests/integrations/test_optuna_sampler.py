"""alfine.optuna.Sampler against the tests that Optuna has for samplers, every case of them."""

import pytest

import alfine
from tests.missing import package

package("optuna")
cases = package("optuna.testing.pytest_samplers")


class TestSampler(cases.BasicSamplerTestCase, cases.RelativeSamplerTestCase, cases.SingleOnlySamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return lambda: alfine.optuna.Sampler(seed=0)
