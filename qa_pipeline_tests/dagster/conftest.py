"""What the tests of the orchestration share."""

from collections.abc import Iterator

import pytest

from qa_pipeline_tests.small_home import kept_environment


@pytest.fixture(autouse=True, scope="module")
def environment() -> Iterator[None]:
    """Each module has the environment for itself."""
    with kept_environment():
        yield
