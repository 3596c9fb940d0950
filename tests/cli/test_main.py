"""Wrong usage and unreadable input: exit status 2, one line on standard error."""

import re
import subprocess
import sys

import numpy as np
import pytest

from refnum.cli import COMMANDS, main


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "refnum", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


WRONG = [
    (["formats", "e4m4"], "unknown format 'e4m4'; near names: "),
    (["encode", "e9m9", "1"], "unknown format 'e9m9'"),
    (["encode", "e4m3", "one"], "'one' is not a number"),
    (["encode", "e4m3", "zz", "--bits"], "'zz' is not the bits of a float32"),
    (["encode", "e4m3", "none.npy"], "none.npy: No such file"),
    (["encode", "e4m3", "1", "broken.npy"], "broken.npy: a file stands alone"),
    (["encode", "e4m3", "broken.npy"], "broken.npy: no readable .npy file"),
    (["encode", "e4m3", "1", "--random", "1"], "takes no random bits"),
    (["encode", "e4m3", "1", "--random-bits", "8"], "random_bits=8 has no meaning"),
    (["encode", "e4m3", "1", "--cast", "PTX_RS"], "needs random bits"),
    (["encode", "e4m3", "1", "--rounding", "stochastic_a"], "random_bits from 1 to 32"),
    (["encode", "e4m3", "1", "--cast", "PTX_RS", "--random", "g"], "'g' is no hexa"),
    (["encode", "e4m3", "1", "--cast", "PTX_RS", "--random", "10000"], "not fit 16"),
    (["encode", "e4m3", "1", "--cast", "PTX_RS", "--random", "1,2"], "2 numbers for 1"),
    (["decode", "e4m3", "1g"], "'1g' is no hexadecimal code"),
    (["decode", "e4m3", "100"], "code 256 is no code of e4m3"),
    (["decode", "ue4m3", "b8"], "code 184 is no code of ue4m3"),
    (["decode", "e4m3", "x.npy"], "x.npy: codes must be integers"),
    (["explain", "x", "e4m3"], "'x' is not a number"),
    (["explain", "1", "int3"], "unknown format 'int3'"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_errors_are_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.npy").write_bytes(b"\x93NUMPY\x01")
    np.save(tmp_path / "x.npy", np.ones(2))
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"refnum: [^\n]+\n", captured.err)
    assert message in captured.err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nothing"],
        ["encode"],
        ["encode", "e4m3"],
        ["encode", "e4m3", "1", "--cast", "NVIDIA"],
        ["encode", "e4m3", "1", "--rounding", "nearest"],
        ["encode", "e4m3", "1", "--random-bits", "x"],
        ["encode", "e4m3", "1", "--unknown"],
        ["explain", "1"],
    ],
)
def test_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("usage: refnum")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: refnum {command}")


def test_status_and_streams_of_the_program():
    done = run("encode", "e4m3", "448")
    assert (done.returncode, done.stdout, done.stderr) == (0, "7e\n", "")
    done = run("decode", "e4m3", "xyz")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "refnum: 'xyz' is no hexadecimal code\n"


def test_version():
    from refnum import __version__

    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"refnum {__version__}\n")


def test_a_reader_may_stop_early():
    # head closes the pipe; what encode has left to say is more than a pipe holds.
    values = "1 " * 100_000
    encode = subprocess.Popen(
        [sys.executable, "-m", "refnum", "encode", "e4m3", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert encode.stdin
    assert encode.stdout
    assert encode.stderr
    encode.stdin.write(values)
    encode.stdin.close()
    assert encode.stdout.readline() == "38\n"
    encode.stdout.close()
    assert encode.stderr.read() == ""
    assert encode.wait(60) == 0
    encode.stderr.close()
