"""How templates of text are read: the same for tables and claims."""

from pathlib import Path

import jinja2

_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "&": r"\&",
        "%": r"\%",
        "#": r"\#",
        "_": r"\_",
        "$": r"\$",
        "{": r"\{",
        "}": r"\}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "±": r"$\pm$",
        "–": "--",
    }
)


def environment(folder: Path) -> jinja2.Environment:
    """Return what reads the templates of a folder; those that end in ``html.jinja`` escape."""
    plain = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=jinja2.select_autoescape(["html.jinja"], default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    plain.filters |= {"on_one_line": _on_one_line, "pipes": _pipes, "tex": _tex}
    return plain


def angled(plain: jinja2.Environment) -> jinja2.Environment:
    """Return the same with angle brackets, for TeX, which has braces of its own."""
    return plain.overlay(
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
    )


def _on_one_line(text: str) -> str:
    """Replace line breaks, which would end a row of Markdown, or a comment of TeX."""
    return " ".join(text.splitlines())


def _pipes(text: str) -> str:
    return _on_one_line(text).replace("|", r"\|")


def _tex(text: str) -> str:
    return _on_one_line(text).translate(_TEX)
