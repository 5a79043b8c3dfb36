"""The digest of code: words do not enter, deeds do, and every Python agrees."""

import pytest

from double_pinn.running.identity import code_digest


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
    assert digest(source) == "12fb49020bb52578"
