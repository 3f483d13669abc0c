"""The frame of a page: HTML that needs nothing but itself."""

__all__ = ["PAGE"]

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark;
  --text: #1c1e21; --soft: #5b626b; --page: #ffffff; --card: #f4f5f7; --line: #d5d9de; --pass: #00664b; --off: #a33a00; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --text: #e7e9ec; --soft: #a5adb7; --page: #15171a; --card: #202328; --line: #3a3f46;
    --pass: #4fd1a5; --off: #ff9a5c; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
main {{ max-width: 52rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }}
h1 {{ font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; }}
h2 {{ font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .9rem; border-top: 1px solid var(--line); }}
h3 {{ font-size: 1.05rem; margin: 1.8rem 0 .4rem; }}
nav {{ display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; padding: .6rem 1rem; background: var(--card); border-radius: .6rem; }}
nav a {{ color: inherit; }}
.subtitle {{ color: var(--soft); margin: 0 0 1.4rem; }}
p {{ margin: .6rem 0; overflow-wrap: anywhere; }}
.scroll {{ overflow-x: auto; margin: 1rem 0; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ text-align: left; vertical-align: top; padding: .4rem .7rem .4rem 0; border-bottom: 1px solid var(--line); }}
thead th {{ color: var(--soft); font-weight: 600; }}
.verdict {{ background: var(--card); border-radius: .6rem; padding: .3rem 1rem; margin: .5rem 0; }}
summary {{ cursor: pointer; font-weight: 600; padding: .3rem 0; }}
summary span {{ color: var(--soft); font-weight: 400; margin-left: .5rem; }}
summary.off span {{ color: var(--off); }}
.verdict tr:last-child > * {{ border-bottom: 0; }}
.verdict .value {{ font-weight: 700; min-width: 6rem; }}
.verdict .floor, .verdict .note {{ color: var(--soft); }}
.pass {{ color: var(--pass); }}
strong.off {{ color: var(--off); text-transform: uppercase; }}
.alert {{ border: 2px solid var(--off); border-radius: .6rem; padding: .6rem 1rem; font-weight: 700; }}
figure {{ margin: 1.2rem 0; break-inside: avoid; }}
figure img {{ display: block; max-width: 100%; height: auto; margin: 0 auto; background: #fff; border-radius: .4rem; }}
figcaption {{ color: var(--soft); font-size: .92rem; margin-top: .5rem; }}
.provenance td, .provenance th {{ font-size: .88rem; overflow-wrap: anywhere; }}
.provenance th {{ white-space: nowrap; color: var(--soft); font-weight: 600; }}
@media (max-width: 34rem) {{
  .verdict tr {{ display: block; border-bottom: 1px solid var(--line); padding: .35rem 0; }}
  .verdict tr:last-child {{ border-bottom: 0; }}
  .verdict th, .verdict td {{ display: block; border: 0; padding: 0; }}
  .verdict thead, .verdict td:empty {{ display: none; }}
  .verdict .floor::before {{ content: "floor "; }}
}}
@media print {{
  :root {{ --text: #000; --soft: #444; --page: #fff; --card: #fff; --line: #bbb; --pass: #00664b; --off: #a33a00; }}
  main {{ max-width: none; padding: 0; }}
  h2 {{ break-after: avoid; }}
  table {{ break-inside: avoid; }}
  .scroll {{ overflow: visible; }}
}}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
