"""Work that is done in threads, some items ahead of who asks for them."""

import collections
import concurrent.futures


def ahead(function, items, number):
    """Yields `function` of every item in their order, on `number` threads.

    No more than `number` items are taken ahead.
    """
    with concurrent.futures.ThreadPoolExecutor(number) as threads:
        waiting = collections.deque()
        for item in items:
            waiting.append(threads.submit(function, item))
            if len(waiting) > number:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
