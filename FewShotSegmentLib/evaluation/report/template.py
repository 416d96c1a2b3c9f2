"""The page: structure, looks, and the few lines of script that sort tables."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --pale: #5b6675; --paper: #fff; --card: #f5f7fa; --line: #d6dce4;
  --mark: #0b6bb8; --best: #e3f1e4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf0; --pale: #a2adba; --paper: #14181d; --card: #1e242b;
  --line: #37404b; --mark: #6cb8f2; --best: #1f3d28; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem 1.5rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .2rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p { margin: .4rem 0; max-width: 62rem; }
a { color: var(--mark); }
nav { margin: 1rem 0; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; }
.pale, figcaption, .note { color: var(--pale); font-size: .87rem; max-width: 62rem; }
.facts { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1rem 0; padding: 0; list-style: none; }
.facts li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .35rem .8rem; }
.facts b { font-size: 1.1rem; font-variant-numeric: tabular-nums; }
.wide { overflow: auto; max-height: 80vh; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: separate; border-spacing: 0; font-size: .87rem; font-variant-numeric: tabular-nums;
  min-width: 100%; }
th, td { padding: .32rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line);
  vertical-align: top; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { position: sticky; top: 0; z-index: 2; background: var(--card); font-weight: 600; }
tbody th, thead th.label { text-align: left; font-weight: 500; }
tbody th { background: var(--paper); }
tbody th:first-child { position: sticky; left: 0; z-index: 1; }
thead th:first-child { left: 0; z-index: 3; }
td small, th small { display: block; color: var(--pale); font-size: .78rem; font-weight: 400; }
td.best { background: var(--best); font-weight: 600; }
td[title] { cursor: help; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--mark); }
th[aria-sort=ascending] button::after { content: " ▲"; }
th[aria-sort=descending] button::after { content: " ▼"; }
figure { margin: 1rem 0 1.6rem; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border: 1px solid var(--line);
  border-radius: 8px; }
figcaption { margin-top: .35rem; }
details { margin: .6rem 0; }
summary { cursor: pointer; font-weight: 600; }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  .wide { overflow: visible; max-height: none; border: 0; } thead th, tbody th { position: static; }
  table { font-size: 7.5pt; } th, td { padding: 1pt 3pt; } figure, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; } }
"""

SCRIPT = """
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = Array.from(table.tHead.rows[0].cells);
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => {
        const cell = row.cells[column];
        return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
      };
      const rows = Array.from(table.tBodies[0].rows).map((row) => [value(row), row]);
      // cells without a number go last, whichever way the others run
      rows.sort(([a], [b]) => {
        if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
        const order = typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true });
        return down ? -order : order;
      });
      table.tBodies[0].append(...rows.map(([, row]) => row));
    });
  });
}
const opened = [];
addEventListener("beforeprint", () => {
  for (const part of document.querySelectorAll("details:not([open])")) { part.open = true; opened.push(part); }
});
addEventListener("afterprint", () => { for (const part of opened.splice(0)) part.open = false; });
"""

PAGE = """\
{%- macro cell(c) -%}
{%- set tag = "th" if c.label else "td" -%}
<{{ tag }}
{%- if c.label %} scope="row"{% endif %}
{%- if c.best %} class="best"{% endif %}
{%- if c.hint %} title="{{ c.hint }}"{% endif %}
{%- if c.value is not none %} data-value="{{ c.value }}"{% endif %}>{{ c.text }}
{%- if c.below %}<small>{{ c.below }}</small>{% endif %}</{{ tag }}>
{%- endmacro -%}
{%- macro grid(t) -%}
<div class="wide" tabindex="0" role="region" aria-label="{{ t.title }}">
<table{% if t.sortable %} class="sortable"{% endif %}>
<thead><tr>
{%- for head in t.head -%}
<th scope="col"{% if t.rows and t.rows[0][loop.index0].label %} class="label"{% endif %}>{{ head }}</th>
{%- endfor -%}
</tr></thead>
<tbody>
{% for row in t.rows %}<tr>{% for c in row %}{{ cell(c) }}{% endfor %}</tr>
{% endfor %}</tbody>
</table></div>
{% if t.note %}<p class="note">{{ t.note }}</p>{% endif %}
{%- endmacro -%}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; \
script-src 'unsafe-inline'">
<title>{{ title }}</title>
<style>{{ style }}</style>
</head>
<body>
<header>
<h1>{{ title }}</h1>
<p class="pale">{{ protocol_title }}</p>
{% for paragraph in explanation %}<p>{{ paragraph }}</p>
{% endfor %}
<ul class="facts">{% for value, noun in facts %}<li><b>{{ value }}</b> {{ noun }}</li>{% endfor %}</ul>
<nav aria-label="Contents">
{% for section in sections %}<a href="#{{ section.key }}">{{ section.title }}</a>
{% endfor %}</nav>
</header>
<main>
{% for section in sections %}
<section id="{{ section.key }}">
<h2>{{ section.title }}</h2>
{% for paragraph in section.text %}<p>{{ paragraph }}</p>
{% endfor %}
{% for t in section.tables %}
{% if t.folded %}<details><summary>{{ t.title }}</summary>{{ grid(t) }}</details>
{% else %}<h3>{{ t.title }}</h3>{{ grid(t) }}{% endif %}
{% endfor %}
{% for picture in section.pictures %}
<figure><h3>{{ picture.title }}</h3>
<img src="{{ picture.source }}" alt="{{ picture.alternative }}">
<figcaption>{{ picture.caption }}</figcaption></figure>
{% endfor %}
</section>
{% endfor %}
</main>
<script>{{ script }}</script>
</body>
</html>
"""
"""Jinja template; every text is escaped."""
