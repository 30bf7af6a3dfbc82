"""Work that is done in threads, some items ahead of who asks for them."""

import collections
import concurrent.futures


def ahead(function, items, number):
    """`function` of every item in their order, `number` of them at a time.

    Args:
        function: of an item.
        items: an iterable; no more than `number` are taken ahead, so that
            what waits stays bounded.
        number: of threads.

    Yields:
        The results. An error of `function` is raised in its place.
    """
    with concurrent.futures.ThreadPoolExecutor(number) as threads:
        waiting = collections.deque()
        for item in items:
            waiting.append(threads.submit(function, item))
            if len(waiting) > number:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
