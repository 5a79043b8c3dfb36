"""The digest of code: words do not enter, deeds do, and every Python agrees."""

import os

import pytest

from double_pinn import code
from double_pinn.code import code_digest, files_behind, files_elsewhere, imported_files


@pytest.fixture
def digest(tmp_path):
    """``digest(text)``: of a file that says this."""

    def of(text):
        (tmp_path / "a.py").write_text(text)
        return code_digest([tmp_path / "a.py"])

    return of


def test_words_do_not_enter_and_deeds_do(digest):
    first = digest("def f(x):\n    return x + 1\n")
    assert first == digest('"""Doc."""\n\n\ndef f(x):\n    """Add."""\n    return x + 1  # one\n')
    assert first != digest("def f(x):\n    return x + 2\n")
    assert first != digest("def f(x):\n    return 'x + 1'\n")


def test_layout_enters_only_where_it_means_something(digest):
    assert digest("a = (1 +\n     2)\n") == digest("a = (1 + 2)\n")
    assert digest("if a:\n    b()\n    c()\n") != digest("if a:\n    b()\nc()\n")


def test_strings_that_are_values_enter(digest):
    assert digest("a = f'{x!r:>{w}} b'\n") != digest("a = f'{x!r:>{v}} b'\n")
    assert digest("a = 'b'\n") != digest("a = 'c'\n")


def test_every_python_agrees(digest):
    """Recorded under Python 3.11; f-strings are several tokens from 3.12 on."""
    source = "def f(x):\n    z = f'{x:{3}} {[i for i in (1, 2)]!r}'\n    return f'''a\n{z}'''\n"
    assert digest(source) == "83181b135be5dcf8"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A made-up package in the place of this one; ``package(files)`` writes and returns paths."""
    monkeypatch.setattr(code, "PACKAGE", tmp_path)

    def write(files):
        paths = {name: tmp_path / name for name in files}
        for name, path in paths.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[name])
        return paths

    return write


def test_files_behind_a_file_are_what_it_imports_however_indirectly(package):
    paths = package(
        {
            "room/__init__.py": "",
            "room/a.py": "import os\nfrom double_pinn.room import b\n",
            "room/b.py": "def f():\n    from double_pinn.room.c import g\n",
            "room/c.py": "from double_pinn.room.a import b\nfrom double_pinn.out import d\n",
            "room/unused.py": "",
            "out/d.py": "from double_pinn.room import unused\n",
        }
    )
    room = paths["room/a.py"].parent
    inside = sorted(paths[f"room/{name}.py"] for name in "abc")
    assert files_behind([paths["room/a.py"]], [room]) == inside
    # A file may be a room, too; what is behind it comes with it.
    everything = sorted(set(paths.values()) - {paths["room/__init__.py"]})
    assert files_behind([paths["room/a.py"]], [room, paths["out/d.py"]]) == everything
    assert files_behind([paths["room/a.py"]], []) == [paths["room/a.py"]]


def test_what_an_import_names(package):
    paths = package(
        {
            "__init__.py": "",
            "tools.py": "",
            "part/__init__.py": "",
            "part/inner.py": "",
            "user.py": "from double_pinn import tools, __version__\n"
            "from double_pinn.part import Thing\n"
            "from double_pinn.part.inner import other\n"
            "from pathlib import Path\n",
        }
    )
    wanted = ["tools.py", "__init__.py", "part/__init__.py", "part/inner.py"]
    assert imported_files(paths["user.py"]) == [paths[name] for name in wanted]


def test_every_form_of_an_import_counts(package):
    paths = package(
        {
            "__init__.py": "",
            "helper.py": "",
            "part/__init__.py": "",
            "part/inner.py": "",
            "part/user.py": "from .inner import f\nfrom . import inner\nfrom ..helper import g\n"
            "import double_pinn.helper as h\nimport os\n",
        }
    )
    wanted = ["part/inner.py", "part/inner.py", "helper.py", "helper.py"]
    assert imported_files(paths["part/user.py"]) == [paths[name] for name in wanted]


def test_a_file_that_changes_is_read_again(package):
    user = package({"user.py": "from double_pinn import a\n", "a.py": "", "b.py": ""})["user.py"]
    before = imported_files(user), code_digest([user])
    user.write_text("from double_pinn import b\n")
    os.utime(user, (2e9, 2e9))
    assert [p.name for p in imported_files(user)] == ["b.py"]
    assert [p.name for p in before[0]] == ["a.py"]
    assert code_digest([user]) != before[1]


def test_modules_elsewhere_are_found_however_indirectly(tmp_path, monkeypatch):
    """Of somebody's own: neither Python's, nor installed, nor of this package."""
    files = {
        "user.py": "import os, numpy as np\nimport double_pinn\nfrom dpown_first import a\n"
        "try:\n    import dpown_missing\nexcept ImportError: pass\n",
        "dpown_first.py": "import dpown_second.part\nimport dpown_first\n",
        "dpown_second/__init__.py": "from . import part\n",
        "dpown_second/part.py": "",
        "dpown_third.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    wanted = ["dpown_first.py", "dpown_second/__init__.py", "dpown_second/part.py"]
    assert files_elsewhere([tmp_path / "user.py"]) == [tmp_path / name for name in wanted]
