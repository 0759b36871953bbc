"""How the documentation site is built: `make docs`."""

from __future__ import annotations

import importlib
import pkgutil
from importlib import metadata

import counterstain

project = "counterstain"
author = "The counterstain developers"
copyright = "The counterstain developers"  # noqa: A001
version = release = metadata.version("counterstain")

extensions = [
    "cyclopts.sphinx_ext",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_design",
]
exclude_patterns = ["_build"]
smartquotes = False  # `--debug` is no dash.

# Headings of existing pages are linked to by name, as on the forge that shows the same files.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "fieldlist"]

autodoc_typehints = "none"  # Shapes, dtypes and units stand in the docstrings.
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False
add_module_names = False

# Public names are loaded at first use; autodoc only looks at those that were.
_NAMES = [m.name for m in pkgutil.iter_modules(counterstain.__path__) if m.ispkg]
for _module in map(
    importlib.import_module, ["counterstain", *(f"counterstain.{n}" for n in _NAMES)]
):
    for _name in getattr(_module, "__all__", ()):
        setattr(_module, _name, getattr(_module, _name))

html_theme = "furo"
html_title = "counterstain"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0a5f86", "color-brand-content": "#0a5f86"},
    "dark_css_variables": {"color-brand-primary": "#6cc4ea", "color-brand-content": "#6cc4ea"},
}
