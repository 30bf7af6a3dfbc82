"""`--track`: figures in Weights & Biases or MLflow, by their own callbacks."""

import contextlib
import json
import pathlib

from .lazy import keras_pyconv
from .settings import as_dict

FILE = "tracked.json"  # in a run's folder: the id that the tracker gave it


@contextlib.contextmanager
def tracked(settings, folder):
    """Within this the tracker logs a run: the same one where it is resumed."""
    tool, folder = settings.run.track, pathlib.Path(folder)
    if tool is None:
        yield
        return
    file = folder / FILE
    known = json.loads(file.read_text()) if file.is_file() else {}
    begin, end = {"wandb": _wandb, "mlflow": _mlflow}[tool](settings, folder)
    try:
        found = begin(known.get(tool))
    # Each tracker has many errors.
    except Exception as error:
        said = keras_pyconv.reading.one_line(error)
        raise ValueError(f"--track {tool}: {said}") from error
    text = json.dumps({**known, tool: found}) + "\n"
    keras_pyconv.writing.write_atomically(file, text)
    try:
        yield
    except BaseException as error:
        # Who stops a run goes on with it.
        end(failed=isinstance(error, Exception))
        raise
    end(failed=False)


def _wandb(settings, folder):
    import wandb

    def begin(known):
        about = {"dir": folder, "name": folder.name, "resume": "allow"}
        return wandb.init(id=known, config=as_dict(settings), **about).id

    def end(failed):
        wandb.finish(exit_code=int(failed))

    return begin, end


def _mlflow(settings, folder):
    import mlflow

    def begin(known):
        name = folder.name
        found = mlflow.start_run(run_id=known, run_name=name).info.run_id
        if known is None:
            mlflow.log_params(as_dict(settings))
        return found

    def end(failed):
        mlflow.end_run("FAILED" if failed else "FINISHED")

    return begin, end


def callbacks(settings):
    """The tracker's own callback, within `tracked`."""
    if settings.run.track == "mlflow":
        import mlflow

        return [mlflow.keras.MlflowCallback()]
    if settings.run.track == "wandb":
        from wandb.integration.keras import WandbMetricsLogger

        class Logger(WandbMetricsLogger):
            def _get_lr(self):
                # Of several optimizers Keras tells no common rate.
                several = hasattr(self.model.optimizer, "optimizers")
                return None if several else super()._get_lr()

        return [Logger()]
    return []
