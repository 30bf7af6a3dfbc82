"""What these tests share with those of training."""

from tests.training.conftest import unbroken  # noqa: F401
