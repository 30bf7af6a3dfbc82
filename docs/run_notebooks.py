"""Makes a notebook of each script in docs/notebooks, with its output.

python docs/run_notebooks.py                        all, some minutes
python docs/run_notebooks.py export_and_serve ...   only these
"""

import os
import pathlib
import sys
import tempfile

import jupytext
import nbclient
import nbformat

FOLDER = pathlib.Path(__file__).with_name("notebooks")


def run(script):
    """Runs a script in an empty folder; writes the notebook beside it."""
    notebook = jupytext.read(script)
    with tempfile.TemporaryDirectory() as folder:
        place = {"metadata": {"path": folder}}
        nbclient.NotebookClient(notebook, resources=place).execute()
    tidy(notebook)
    nbformat.write(notebook, script.with_suffix(".ipynb"))


def tidy(notebook):
    """Leaves out when a cell ran, what is said beside, and second images."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [*filter(is_kept, cell.outputs)]
            for output in cell.outputs:
                if "image/jpeg" in output.get("data", {}):
                    output.data.pop("image/png", None)


def is_kept(output):
    """Whether an output is no warning, progress bar or line of a log."""
    if output.output_type != "stream":
        return True
    noise = output.name == "stderr" or "\x1b[" in output.text
    return not noise and not output.text.startswith("INFO:")


def main(names):
    # `!keras-pyconv` is the command of this environment, and says little.
    paths = str(pathlib.Path(sys.executable).parent), os.environ["PATH"]
    os.environ |= {"PATH": ":".join(paths), "TF_CPP_MIN_LOG_LEVEL": "3"}
    scripts = {script.stem: script for script in sorted(FOLDER.glob("*.py"))}
    if unknown := set(names) - set(scripts):
        sys.exit(f"There is no notebook {', '.join(sorted(unknown))}")
    for name in names or scripts:
        print(name)
        run(scripts[name])


if __name__ == "__main__":
    main(sys.argv[1:])
