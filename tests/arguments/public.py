"""Every public callable of the package, by its name."""

import importlib
import inspect
import types

import keras_pyconv

ROOMS = (
    "keras_pyconv",
    *(
        f"keras_pyconv.{room}"
        for room in (
            *("architectures", "complexity", "datasets", "export", "layers"),
            *("models", "ops", "reports", "tables", "tasks", "tasks.detection"),
            *("tasks.segmentation", "tasks.video", "training", "weights"),
        )
    ),
)

# Methods that Keras, Python or TensorFlow call, by the protocol of a class.
PROTOCOL = {
    *("call", "build", "compute_output_shape", "compute_output_spec"),
    *("get_config", "from_config", "update_state", "result", "reset_state"),
    *("set_model", "on_train_batch_end", "on_epoch_begin", "on_test_begin"),
    *("on_epoch_end", "on_train_begin", "on_train_end", "get_state"),
    *("set_state", "convolution_op", "compute_loss", "compute_metrics"),
    *("update_step", "on_train_batch_begin"),
}


def _ours(item):
    package, room, *_ = *(getattr(item, "__module__", "") or "").split("."), ""
    return package == keras_pyconv.__name__ and room != "renamed"


def _methods(kind):
    """Public methods that a class has from the package."""
    for owner in kind.__mro__:
        if not _ours(owner):
            continue
        for name, item in vars(owner).items():
            if isinstance(item, (classmethod, staticmethod)):
                item = item.__func__
            called = name == "__call__" or not name.startswith("_")
            if inspect.isfunction(item) and called and name not in PROTOCOL:
                yield name


def callables():
    """`{name: callable}`: functions, classes, and `Class.method`."""
    found, seen = {}, set()
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in module.__all__:
            item = getattr(module, name)
            if isinstance(item, types.ModuleType) or not callable(item):
                continue
            if not _ours(item) or id(item) in seen:
                continue
            home = ".".join(item.__module__.split(".")[:2])
            if home in ROOMS[1:] and not f"{room}.".startswith(f"{home}."):
                # Another room's, which is to come.
                if room != ROOMS[0]:
                    continue
            seen.add(id(item))
            place = f"{room.removeprefix('keras_pyconv').lstrip('.')}.{name}"
            place = place.lstrip(".")
            found[place] = item
            if inspect.isclass(item):
                for method in _methods(item):
                    found[f"{place}.{method}"] = getattr(item, method)
    return found
