"""Functions that are traced once are traced anew in every test here.

What the processor has, which many tests replace, is not in their key.
"""

import pytest

from keras_pyconv.ops import graph


@pytest.fixture(autouse=True)
def nothing_is_traced():
    graph._traced.cache_clear()
    yield
    graph._traced.cache_clear()
