"""Sphinx configuration: ``make docs`` builds the pages into build/docs.

The source folder is the root of the repository, so that links between the Markdown pages work on
the pages as they do in a checkout. The modules of the API reference are found in the package.
"""

import os
import re
import shutil
import sys

from sphinx.ext.autodoc.mock import mock

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

with open(os.path.join(ROOT, "pynq_circnn", "__init__.py"), encoding="utf-8") as _file:
    release = version = re.search('__version__ = "(.*)"', _file.read()).group(1)

project = "pynq_circnn"
author = "The pynq_circnn developers"
copyright = author

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
]

# -- pages --------------------------------------------------------------------------------------

PAGES = [
    "hw/ENGINE",
    "pynq_circnn/overlays/README",
    "CONTRIBUTING",
    "CHANGELOG",
    "SECURITY",
    "RELEASE",
]

root_doc = "README"
include_patterns = [
    "README.md",
    *(f"{page}.md" for page in PAGES),
    "pynq_circnn/notebooks/*.ipynb",
    "docs/api.md",
    "docs/api/*.rst",
]
exclude_patterns = [".*", "build", "dist", "tests", "notebooks", "overlays"]  # links, the last two
templates_path = ["templates"]
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
nb_execution_mode = "off"  # the notebooks are kept with their outputs, and the tests run them

CONTENTS = """

```{{toctree}}
:hidden:
:caption: Pages

{pages}
```

```{{toctree}}
:hidden:
:caption: Notebooks
:glob:

/pynq_circnn/notebooks/*
```

```{{toctree}}
:hidden:
:caption: Reference

/docs/api
```
"""

# -- API reference ------------------------------------------------------------------------------

autosummary_generate = False  # the stubs are written below
autodoc_default_options = {"members": True, "show-inheritance": True, "member-order": "bysource"}
autodoc_mock_imports = ["pynq", "keras", "matplotlib", "ipywidgets", "sklearn"]
suppress_warnings = ["ref.python"]  # a word in a docstring can name several modules or classes
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_validation_checks = set()

FACES = ["pynq_circnn", "pynq_circnn.keras"]  # what they import for users is documented there too
BUILD = "pynq_circnn.native.build"  # setup.py runs it; nobody imports it
API = os.path.join(ROOT, "docs", "api")  # written at every build, ignored by git


def modules():
    """Return the public modules of the package, by name: every file that no underscore begins."""
    names = []
    for folder, folders, files in os.walk(os.path.join(ROOT, "pynq_circnn")):
        folders[:] = sorted(name for name in folders if not name.startswith(("_", ".")))
        package = os.path.relpath(folder, ROOT).replace(os.sep, ".")
        if "__init__.py" in files:
            names.append(package)
        names += [
            f"{package}.{name[:-3]}"
            for name in sorted(files)
            if name.endswith(".py") and not name.startswith("_")
        ]
    return [name for name in names if name != BUILD]


def write_stubs(app):
    """Write a page for each module, and forget those of modules that are gone."""
    shutil.rmtree(API, ignore_errors=True)
    os.makedirs(API)
    for name in modules():
        with open(os.path.join(API, f"{name}.rst"), "w", encoding="utf-8") as file:
            file.write(f"{name}\n{'=' * len(name)}\n\n.. automodule:: {name}\n")
            if name not in FACES:
                file.write("   :ignore-module-all:\n")  # names are documented where they are made


sys.path.insert(0, ROOT)
with mock(autodoc_mock_imports):  # with Keras imported, nobody asks which back end it has
    import keras  # noqa: F401

    import pynq_circnn.keras  # noqa: F401

# -- HTML ---------------------------------------------------------------------------------------

html_theme = "furo"
html_title = f"{project} {release}"
html_additional_pages = {"index": "index.html"}  # sends the reader on to the README


def add_contents(app, docname, source):
    """Append the table of contents to the README (on GitHub it would be noise), and the modules."""
    if docname == root_doc:
        source[0] += CONTENTS.format(pages="\n".join(f"/{page}" for page in PAGES))
    if docname == "docs/api":
        source[0] = source[0].replace("MODULES", "\n   ".join(modules()))


def setup(app):
    app.connect("builder-inited", write_stubs)
    app.connect("source-read", add_contents)
