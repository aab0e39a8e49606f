"""Manifests and kernel sources that are wrong or want to do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sassay.build import compile_manifest, load_manifest
from sassay.errors import InputError, LimitError, ManifestError, SassayError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = '[[kernel]]\nfile = "k.py"\nfunction = "k"\narch = "sm_90"\n'
KERNEL = "import triton\n@triton.jit\ndef k(x):\n    pass\n"


def refused(folder: Path, text: str) -> SassayError:
    path = folder / "m.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SassayError) as caught:
        load_manifest(path)
    assert "\n" not in str(caught.value)
    assert caught.value.artifact == str(path)
    return caught.value


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (HEAD + "sigature = {}\n", "line 5, kernel[0].sigature", "did you mean 'signature'?"),
        (HEAD + "options = {num_warp = 4}\n", "line 5, kernel[0].options.num_warp", "'num_warps'?"),
        (
            HEAD + "options = {num_warps = 3}\n",
            "line 5, kernel[0].options.num_warps",
            "power of two",
        ),
        (HEAD + "options = {num_warps = true}\n", "line 5, kernel[0].options.num_warps", "int"),
        (
            HEAD + 'options = {ir_override = "/x"}\n',
            "line 5, kernel[0].options.ir_override",
            "machine",
        ),
        (HEAD + 'signature = {x = "*bf17"}\n', "line 5, kernel[0].signature.x", "is not a type"),
        (HEAD + 'signature = {x = "*{t}"}\n', "line 5, kernel[0].signature", "set types.t"),
        (HEAD + "signature = {x = 3}\n", "line 5, kernel[0].signature.x", "not a type"),
        (
            HEAD + "constants = {x = 1979-05-27}\n",
            "line 5, kernel[0].constants.x",
            "not a constant",
        ),
        (
            HEAD + "constants = {x = {nope = 1}}\n",
            "line 5, kernel[0].constants.x",
            "not a constant",
        ),
        (
            HEAD + "constants = {x = 36893488147419103232}\n",
            "line 5, kernel[0].constants.x",
            "64 bits",
        ),
        (HEAD + "divisibility = {x = 0}\n", "line 5, kernel[0].divisibility.x", "not a divisor"),
        (HEAD + "grid.constants.B = 4\n", "line 5, kernel[0].grid.constants.B", "a list of values"),
        (HEAD.replace("sm_90", "sm_60"), "line 4, kernel[0].arch", "unknown architecture 'sm_60'"),
        (HEAD.replace('arch = "sm_90"\n', ""), "line 1, kernel[0]", "no architecture is named"),
        (HEAD.replace("k.py", "../k.py"), "line 2, kernel[0].file", "use --root"),
        (HEAD.replace("k.py", "/etc/passwd"), "line 2, kernel[0].file", "use --root"),
        ('root = ".."\n' + HEAD, "line 1, root", "use --root"),
        ('search = ["/usr/lib"]\n' + HEAD, "line 1, search", "use --root"),
        (HEAD + 'module = "k"\n', "line 1, kernel[0]", "either `file` or `module`"),
        (HEAD + 'module = "k"\n' + HEAD, "line 1, kernel[0]", "either `file` or `module`"),
        (HEAD.replace('"k"', '"os.system"'), "line 3, kernel[0].function", "not a function name"),
        ('label = "x"\n', None, "has no [[kernel]]"),
        ('kernel = "x"\n', "line 1, kernel", "not an array of tables"),
        ('schema = "sassay/manifest/9"\n' + HEAD, "line 1, schema", "unknown schema"),
    ],
)
def test_a_wrong_manifest_is_refused_at_its_place(
    tmp_path: Path, text: str, place: str | None, message: str
) -> None:
    error = refused(tmp_path, text)
    assert isinstance(error, ManifestError)
    assert error.place == place
    assert message in str(error)


def test_what_is_no_toml_is_refused(tmp_path: Path) -> None:
    assert "line 1" in str(refused(tmp_path, "[[kernel]\n"))
    assert "nested too deeply" in str(refused(tmp_path, "x = " + "[" * 5000 + "]" * 5000 + "\n"))
    (tmp_path / "b.toml").write_bytes(b"label = '\xff'\n")
    with pytest.raises(ManifestError, match="not UTF-8"):
        load_manifest(tmp_path / "b.toml")
    with pytest.raises(InputError, match="No such file"):
        load_manifest(tmp_path / "missing.toml")


def test_a_grid_that_explodes_is_counted_before_it_is_built(tmp_path: Path) -> None:
    axes = "".join(f"grid.constants.C{n} = {list(range(100))}\n" for n in range(8))
    error = refused(tmp_path, HEAD + axes)
    assert isinstance(error, LimitError)
    assert "10000000000000000 variants" in str(error)


def test_a_huge_manifest_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    with path.open("wb") as file:
        file.truncate(11 * 1024 * 1024)
    with pytest.raises(LimitError, match="11534336 bytes"):
        load_manifest(path)


@pytest.mark.parametrize(
    ("source", "place", "message"),
    [
        ("def k(:\n", "k.py: line 1", "not Python"),
        ("(" * 100_000, "k.py", "not Python"),
        ("x = 1\0\n", "k.py", "not Python"),
        ("def other(x): pass\n", "k.py", "no function `k`"),
        ("def k(x): pass\n", "k.py: line 1", "not a @triton.jit function"),
        (KERNEL.replace("(x)", "(x, y)"), "k.py: line 3", "parameter `y` has no type"),
        (KERNEL.replace("(x)", "(z)"), "k.py: line 3", "names `x`, which is no parameter"),
        (KERNEL.replace("pass", "A") + "A = " + "-" * 2000 + "1\n", "k.py: line 5", "too deeply"),
        (KERNEL + "@triton.jit\ndef k(x):\n    open(x)\n", "k.py: line 7", "`open` is not defined"),
        (KERNEL + " " * 11_000_000, "k.py", "larger than 10 MiB"),
    ],
)
def test_a_wrong_source_fails_its_kernel_alone(
    tmp_path: Path, source: str, place: str, message: str
) -> None:
    (tmp_path / "k.py").write_text(source, encoding="utf-8")
    (tmp_path / "m.toml").write_text(HEAD + 'signature = {x = "*bf16"}\n', encoding="utf-8")
    run = compile_manifest(load_manifest(tmp_path / "m.toml"), cache_dir=tmp_path / "c")
    (failure,) = run.failures
    assert failure.place.startswith(place)
    assert message in failure.message
    assert run.compiled == 0


def test_a_link_out_of_the_root_is_not_followed(tmp_path: Path) -> None:
    inner = tmp_path / "in"
    inner.mkdir()
    (tmp_path / "k.py").write_text(KERNEL, encoding="utf-8")
    (inner / "k.py").symlink_to(tmp_path / "k.py")
    (inner / "m.toml").write_text(HEAD + 'signature = {x = "*bf16"}\n', encoding="utf-8")
    run = compile_manifest(load_manifest(inner / "m.toml"), cache_dir=tmp_path / "c")
    assert "outside the root" in run.failures[0].message
    # The caller may say that the sources lie elsewhere; the manifest may not.
    replayed = load_manifest(inner / "m.toml", root=tmp_path)
    assert compile_manifest(replayed, cache_dir=tmp_path / "d").failures == ()
