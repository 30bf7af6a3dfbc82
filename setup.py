"""The packages to install; everything else is in setup.cfg.

`recipes/` stands beside the package, where it is read and run, and is
installed inside it, where it takes no name that others may have.
"""

from setuptools import find_packages, setup

OURS = find_packages(include=["keras_pyconv*"])
setup(packages=[*OURS, "keras_pyconv.recipes"])
