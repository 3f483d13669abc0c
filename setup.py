"""What pyproject.toml cannot say: the addresses of the project and the links of README.md. Everything else is there."""

import re
import tomllib
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
REPOSITORY = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["higlow_tf"]["repository"]
CODE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
# Where a link to a file of the repository stands, and whether it asks for a picture (raw) or for a page (blob).
RELATIVE = r"(?!\w+:|#|//)"
LINKS = {
    "raw": re.compile(rf'(!\[[^\]]*\]\(|<img [^>]*src="){RELATIVE}'),
    "blob": re.compile(rf'(\]\(|<a [^>]*href="){RELATIVE}'),
}


def absolute(page):
    """A page whose links work anywhere, such as on a package index. Blocks of code stay as they are."""
    parts = CODE.split(page)
    for kind, link in LINKS.items():
        parts[::2] = [link.sub(rf"\g<1>{REPOSITORY}/{kind}/HEAD/", part) for part in parts[::2]]
    return "".join(parts)


setup(
    long_description=absolute((ROOT / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
    project_urls={
        "Repository": REPOSITORY,
        "Documentation": f"{REPOSITORY}/blob/HEAD/docs/index.md",
        "Changelog": f"{REPOSITORY}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{REPOSITORY}/issues",
    },
)
