"""The documentation as a site: `make docs` builds it into docs/_build/html."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent)]

from docstrings import SECTIONS

project = "higlow_tf"
author = "the higlow_tf authors"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "generated_pages",
    "docstrings",
    "shell_blocks",
]
exclude_patterns = ["_build", "_extensions"]

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = "higlow_tf"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False

# Headings of every level can be linked to by their text, as on GitHub.
myst_heading_anchors = 4
# Notebooks are run by `make test-all`, not here.
nb_execution_mode = "off"

# Docstrings name code by single backquotes, and types in words.
default_role = "literal"
autodoc_typehints = "none"
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
autodoc_default_options = {
    "members": True,
    # What comes from Keras, TensorFlow and pydantic is documented there.
    "inherited-members": "Model,Trainer,TensorFlowTrainer,Layer,Operation,KerasSaveable,Bijector,Module,BaseModel,Callback,"
    "StrEnum,Exception,object",
}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
# Attributes as a list of fields: those of a dataclass are members, too.
napoleon_use_ivar = True
napoleon_custom_sections = [
    ("Call arguments", "params_style"),
    ("Warns", "returns_style"),
    *SECTIONS,
]
