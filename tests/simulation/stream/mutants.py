"""Known mistakes, to be put back into the product: each must be found within 2,000 seeds."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

Patch = Callable[[], AbstractContextManager[object]]
MUTANTS: Mapping[str, tuple[str, Patch]] = {}
