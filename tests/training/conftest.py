"""What the tests of training share."""

import multiprocessing

import pytest

from tests.training import small


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory):
    """The small run to its last step: the model, its history, the folder."""
    folder = tmp_path_factory.mktemp("unbroken")
    return *small.run(folder), folder


@pytest.fixture(scope="session")
def start():
    """Calls a function in a new process; all are ended in the end.

    The processes are forked from one that has imported everything and
    computed nothing, so that they begin at once.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.small"])
    processes = []

    def start(function, *args):
        processes.append(context.Process(target=function, args=args))
        processes[-1].start()
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.join()
