"""The records of a matrix as a Markdown table, and its place on a page."""

import datetime
import platform

__all__ = ["BEGIN", "END", "FAILED", "NOT_RUN", "NOT_TO_BE_HAD", "PASSED", "put_into_page", "table_of"]

PASSED, FAILED, NOT_TO_BE_HAD, NOT_RUN = "passed", "failed", "not to be had", "not run"
BEGIN, END = "<!-- version matrix: begin -->", "<!-- version matrix: end -->"
_HEAD = "| Python | TensorFlow | other packages | Keras | NumPy | result |\n|---|---|---|---|---|---|"


def table_of(records):
    """The table of some records (dicts, see `run_combination`), and a line that says where it was made."""
    today, system = datetime.date.today().isoformat(), f"{platform.system()} {platform.machine()}"
    lines = [_HEAD, *map(_row, records)]
    return "\n".join([*lines, "", f"Made on {today}, {system}, by `python -m benchmarks.version_matrix`.", ""])


def _row(record):
    versions = record["versions"]
    cells = (
        record["python"],
        versions.get("tensorflow", record["tensorflow"]),
        record["others"],
        versions.get("keras", "-"),
        versions.get("numpy", "-"),
        _result(record),
    )
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _result(record):
    if record["status"] == PASSED:
        return f"passed, {len(record['steps'])} steps"
    if record["status"] == FAILED:
        return f"**fails** at {record['failed']}: {record['reason']}"
    return f"not to be had: {record['reason']}" if record["status"] == NOT_TO_BE_HAD else record["status"]


def put_into_page(page, table):
    """Puts a table between the marks on a page, in the place of what is there."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{page}: expected the marks {BEGIN} and {END}. Received: a page without them.")
    page.write_text(f"{before}{BEGIN}\n\n{table}\n{END}{after}", encoding="utf-8")
