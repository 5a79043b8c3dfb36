"""Stand-ins take part in declarations, and refuse whatever asks them for more."""

import sys

import pytest

from double_pinn.configuration import stand_ins


@pytest.fixture
def library():
    with stand_ins.instead_of("no_such_library"):
        import no_such_library.deep as library

        yield library
    assert not any(name.startswith("no_such_library") for name in sys.modules)


def test_a_file_can_be_read(library):
    @library.jit
    def f(x: library.Array | None) -> library.Float["3"]:
        return library.tanh(x)

    class Module(library.Module, library.other.Mixin):
        size = 3

    assert f.__name__ == "f"
    assert Module.size == 3
    assert not stand_ins.any_in(Module)


@pytest.mark.parametrize("ask", [tuple, list, bool, float, int, len])
def test_numbers_and_items_are_refused(library, ask):
    with pytest.raises(TypeError):
        ask(library.linspace(0, 1, 5))


def test_a_default_that_is_one_is_seen(library):
    class Options:
        omega = library.pi

    assert stand_ins.any_in(Options)


def test_a_library_that_is_loaded_stays_real(tmp_path, monkeypatch):
    """A stand-in for one of its parts would stay in it."""
    (tmp_path / "loaded_library").mkdir()
    (tmp_path / "loaded_library" / "__init__.py").touch()
    (tmp_path / "loaded_library" / "part.py").write_text("answer = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    import loaded_library

    with stand_ins.instead_of("loaded_library"):
        import loaded_library.part
    assert loaded_library.part.answer == 42
