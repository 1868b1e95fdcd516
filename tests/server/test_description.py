"""The description of the API holds for whatever a program makes of it: no 5xx, no answer it does not describe."""

from __future__ import annotations

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]


def test_every_operation(served: str) -> None:
    described = schemathesis.openapi.from_url(f"{served}/openapi.json")
    operations = [each.ok() for each in described.get_all_operations()]
    assert len(operations) > 15
    for operation in operations:

        @settings(
            max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy())
        def request(case: schemathesis.Case) -> None:
            case.call_and_validate(timeout=30, checks=CHECKS)

        request()
