"""The record of a soak as a Markdown table."""

import collections

__all__ = ["table_of"]

_HEAD = "| part | what | tried | what came of it | faults |\n|---|---|---|---|---|"


def table_of(rows):
    """The table, and below it a line for each fault."""
    groups = collections.defaultdict(list)
    for row in rows:
        groups[row["part"], row["case"]].append(row)
    lines = [_HEAD]
    for (part, case), group in groups.items():
        tried, result = _TEXTS[part](group)
        lines.append(f"| {part} | {case} | {tried} | {result} | {sum(row['fault'] is not None for row in group)} |")
    faults = [f"- {row['part']}, {row['case']}, {row['number']}: {row['fault']}" for row in rows if row["fault"]]
    return "\n".join([*lines, "", *(faults or ["No faults."]), ""])


def _kills(group):
    kills = [kill for row in group for kill in row.get("kills", ())]
    names = collections.Counter(kill["signal"] for kill in kills)
    lives = sum(row["fault"] is None for row in group)
    left = sum(bool(row.get("left_over")) for row in group)
    text = f"{lives} of {len(group)} lives ended bitwise the same"
    return f"{len(kills)} ({_counted(names)})", f"{text}; {left} left a hidden file" if left else text


def _requests(group):
    names = ("refused", "marked", "answered", "empty")
    counts = {name: sum(row.get(name, 0) for row in group) for name in names}
    return sum(counts.values()), _counted(counts)


def _damage(group):
    return len(group), _counted(collections.Counter(row.get("outcome", "fault") for row in group))


def _disk(group):
    replaced = sum(1 for row in group if row.get("files_replaced"))
    text = "a sentence, nothing half-written, well with room"
    kinds = ", ".join(sorted({row["disk"] for row in group if "disk" in row}))
    return f"{len(group)} ({kinds})", f"{text}; some results already new in {replaced}" if replaced else text


def _writers(group):
    seconds = [row["seconds_to_refusal"] for row in group if row.get("seconds_to_refusal") is not None]
    return len(group), f"refused after at most {max(seconds):.2f} s" if seconds else "none was refused"


def _counted(counts):
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


_TEXTS = {"kills": _kills, "requests": _requests, "damage": _damage, "disk": _disk, "writers": _writers}
