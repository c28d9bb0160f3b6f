"""The start script refuses bad options like every command: one line, status 2, and before anything slow is imported."""

from __future__ import annotations

import pytest

import app


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--port", "abc"), "argument --port: 'abc' is not a whole number"),
        (("--port", "65536"), "use 0 to 65535"),
        (("--nosuch",), "--nosuch"),
        (("--data-dir", "taken"), "argument --data-dir: taken is a file"),
    ],
)
def test_a_bad_option_is_one_line(words, text, tmp_path, monkeypatch, capsys):
    (tmp_path / "taken").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["app.py", *words])
    assert app.main() == 2
    out, error = capsys.readouterr()
    assert error.startswith("error: ") and text in error and error.count("\n") == 1
    assert out == ""


def test_a_bad_port_of_the_environment_is_told_too(monkeypatch, capsys):
    monkeypatch.setenv("GRADIO_SERVER_PORT", "http")
    monkeypatch.setattr("sys.argv", ["app.py"])
    assert app.main() == 2
    assert "'http' is not a whole number" in capsys.readouterr().err
