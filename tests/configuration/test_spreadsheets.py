"""CSV files as people and spreadsheets write them."""

import pytest

from double_pinn.configuration.spreadsheets import read_lines
from double_pinn.errors import DataError

PLAIN = "cell,nx,scales\nwave,20,smoke\nreaction,21,paper\n"
LINES = [
    (2, {"cell": "wave", "nx": "20", "scales": "smoke"}),
    (3, {"cell": "reaction", "nx": "21", "scales": "paper"}),
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.csv"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace(",", " , ").encode(),
        PLAIN.replace("\n", ",,\n").encode(),
        (PLAIN + ",,\n\n").encode(),
        PLAIN.replace("wave", '"wave"').encode(),
        PLAIN.rstrip().encode(),
    ],
    ids=["plain", "mark", "crlf", "blanks", "empty columns", "empty lines", "quotes", "no end"],
)
def test_what_spreadsheets_write_says_the_same(path, content):
    path.write_bytes(content)
    names, lines = read_lines(path)
    assert names == ["cell", "nx", "scales"]
    assert lines == LINES


def test_an_empty_value_is_left_out(path):
    path.write_text("cell,nx,scales\nwave,,smoke\nreaction\n")
    assert [line.values for line in read_lines(path)[1]] == [
        {"cell": "wave", "scales": "smoke"},
        {"cell": "reaction"},
    ]


def test_a_comma_and_a_new_line_in_quotes(path):
    path.write_text('a,b\n"1,2","x\ny"\n3,4,\n')
    assert read_lines(path)[1] == [(3, {"a": "1,2", "b": "x\ny"}), (4, {"a": "3", "b": "4"})]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (PLAIN.replace(",", ";").encode(), "its columns are separated by semicolons: save it as"),
        (PLAIN.replace(",", "\t").encode(), "its columns are separated by tabs: save it as"),
        (PLAIN.encode("utf-16"), "is UTF-16 text: save it as CSV, UTF-8"),
        (PLAIN.replace("reaction", "réaction").encode("latin-1"), "line 3: is not UTF-8 text"),
        (b"a,b,a\n", "the column a stands there twice"),
        (b"a,b\n1,2,x,3\n", r"line 2 \(1\): more values than columns, 'x' is under none of the 2"),
        (b"a,b,\n1,2,x\n", r"line 2 \(1\): more values than columns, 'x'"),
        (b'a,b\n1,2\n3,"4\n5,6\n', "line 3: .*quotation mark there is not closed"),
    ],
)
def test_what_is_no_table_is_refused_by_file_and_line(path, content, words):
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"table\.csv.*{words}"):
        read_lines(path)


def test_a_table_that_is_not_there(path):
    with pytest.raises(DataError, match=r"table\.csv: cannot be read: No such file"):
        read_lines(path)
