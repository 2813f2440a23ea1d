"""Every row of HPA's tables as a test, through the functions of the report that `make conformance` prints."""

from __future__ import annotations

import pytest

from tests.conformance.facts import DATA, Case, load
from tests.conformance.judgement import Verdict, judge


@pytest.mark.parametrize("case", load(DATA), ids=str)
def test_our_code_answers_as_hpa_does(case: Case) -> None:
    judgement = judge(case)
    assert judgement.verdict is (Verdict.DIFFERS if case.is_artefact else Verdict.PASSED), judgement.differences
