"""Tables of labels: what is read, and one sentence for everything else."""

from __future__ import annotations

import pytest

from engines.core.errors import OptionError
from engines.data import label_table
from engines.data.label_table import parse_label_table, read_label_table


def test_attributes_are_read_and_classes_left_out():
    table = parse_label_table(b"file,Hat,Male,class\n000000.png,1,0,cat\n000001.png,0,1,dog\n", "labels.csv")
    assert table.files == ("000000.png", "000001.png") and table.attributes == ("Hat", "Male")
    assert table.labels.tolist() == [[True, False], [False, True]] and table.column("Male").tolist() == [False, True]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbffile,Hat\r\na.png,1\r\nb.png,0\r\n",
        b"File, Hat\na.png, true\n\nb.png,FALSE",
        b'"file","Hat"\n"a.png","1"\n"b.png","-1"\n',
    ],
)
def test_spellings_of_the_same(data):
    table = parse_label_table(data, "labels.csv")
    assert (table.files, table.attributes, table.labels.tolist()) == (("a.png", "b.png"), ("Hat",), [[True], [False]])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "begins with ''"),
        (b"file\na.png\n", "first line has to be file,ATTRIBUTE"),
        (b"name;Hat\na.png;1\n", "with commas"),
        (b"file,Hat\n", "labels no picture"),
        (b"file,class\na.png,cat\n", "no column of an attribute"),
        (b"file,Hat\na.png,yes\n", "line 2: 'yes' is no label; use 1 and 0"),
        (b"file,Hat\na.png,\n", "line 2: '' is no label"),
        (b"file,Hat\na.png,1,0\n", "line 2: 3 values where the first line names 2"),
        (b"file,Hat\na.png,1\na.png,0\n", "line 3: a.png was labelled in line 2 already"),
        (b"file,Hat,Hat\na.png,1,0\n", "two columns 'Hat'"),
        (b"file,\na.png,1\n", "'' in the first line is no name"),
        (b"file,Hat\n../a.png,1\n", "line 2: '../a.png' leads out of the folder"),
        (b"file,Hat\nx\\..\\..\\a.png,1\n", "leads out of the folder"),
        (b"file,Hat\n/etc/passwd,1\n", "leads out of the folder"),
        (b"file,Hat\nC:/a.png,1\n", "leads out of the folder"),
        (b"file,Hat\n,1\n", "line 2: '' is no name of a file"),
        (b"\xff\xfef\x00i\x00l\x00e\x00", "not text in UTF-8"),
        (b"file,Hat\na.png,1\x00\n", "not a text file"),
        (b'file,Hat\n"a.png,1\n', "this is no CSV table"),
        (b"file," + b"x" * 200 + b"\na.png,1\n", "is no name of an attribute"),
        (b"file," + b",".join(b"A%d" % k for k in range(600)) + b"\n", "601 columns; at most 512"),
        (b"file,Hat\n" + b"a" * 200_000 + b",1\n", "no CSV table"),
    ],
)
def test_one_sentence_for_everything_else(data, said):
    with pytest.raises(OptionError) as caught:
        parse_label_table(data, "labels.csv")
    assert said in str(caught.value) and "\n" not in str(caught.value) and str(caught.value).startswith("labels.csv")


def test_huge_tables_are_refused_before_they_are_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(label_table, "MAX_ROWS", 10)
    with pytest.raises(OptionError, match="more than 10 lines"):
        parse_label_table(b"file,Hat\n" + b"".join(b"%d.png,1\n" % k for k in range(12)), "labels.csv")
    monkeypatch.setattr(label_table, "MAX_BYTES", 100)
    path = tmp_path / "labels.csv"
    path.write_bytes(b"file,Hat\n" + b"a.png,1\n" * 100)
    with pytest.raises(OptionError, match=r"labels\.csv is larger than"):
        read_label_table(path)
    with pytest.raises(OptionError, match="there is no such file"):
        read_label_table(tmp_path / "none.csv")
