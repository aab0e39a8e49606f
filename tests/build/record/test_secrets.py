from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sassay.build.record.environment import describe_command, describe_variables
from sassay.build.record.secrets import hide, hide_arguments, is_secret

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "name",
    ["--api-key", "HF_TOKEN", "VLLM_API_KEY", "--token", "--password", "AWS_SECRET_ACCESS_KEY",
     "KEY", "--authkey", "apiKey", "accessToken", "DB_PWD", "SENTRY_DSN"],
)  # fmt: skip
def test_secret_names(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["--max-tokens", "--tokenizer-path", "--max-num-batched-tokens", "--author", "--monkey",
     "--special-token-id", "--trust-remote-code", "--keep", "TOKENIZERS_PARALLELISM"],
)  # fmt: skip
def test_plain_names(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["--api-key", "abc", "--tp", "2"], ["--api-key", "***", "--tp", "2"]),
        (["--api-key=abc"], ["--api-key=***"]),
        (["env", "HF_TOKEN=abc"], ["env", "HF_TOKEN=***"]),
        (["https://me:pw@host/x?token=abc&b=2"], ["https://***@host/x?token=***&b=2"]),
        (["-H", "Authorization: Bearer abcdefgh"], ["-H", "Authorization: *** ***"]),
        (['{"api_key": "abc", "tp": 2}'], ['{"api_key": "***", "tp": 2}']),
        (["hf_abcdefghijklmnopqrst"], ["***"]),
        (["--url", "redis://:secret@cache:6379/0"], ["--url", "redis://***@cache:6379/0"]),
        (["--max-tokens", "5"], ["--max-tokens", "5"]),
        (["--header=X-Api-Key: abc123"], ["--header=X-Api-Key: ***"]),
    ],
)
def test_command_lines(arguments: list[str], kept: list[str]) -> None:
    assert list(hide_arguments(arguments)) == kept


def test_values_of_secret_variables_are_hidden_wherever_they_stand() -> None:
    found = hide_arguments(["--flag", "xs3cr3t-valuey"], {"MY_TOKEN": "s3cr3t-value"})
    assert found == ("--flag", "x***y")
    assert hide("print('s3cr3t-value')", ["s3cr3t-value"]) == "print('***')"


def test_only_allowed_variables_are_told() -> None:
    told = describe_variables(
        {
            "CUDA_VISIBLE_DEVICES": "0",
            "VLLM_USE_DEEP_GEMM": "1",
            "VLLM_USE_API_KEY": "abc",
            "HOME": "/home/me",
            "TRITON_CACHE_DIR": "/x",
            "TRITON_PTXAS_PATH": "https://a:b@c/d",
            "AWS_REGION": "x",
        }
    )
    assert told == {
        "env.CUDA_VISIBLE_DEVICES": "0",
        "env.TRITON_PTXAS_PATH": "https://***@c/d",
        "env.VLLM_USE_DEEP_GEMM": "1",
    }


def test_a_command_line_is_told_option_by_option(tmp_path: Path) -> None:
    (tmp_path / "engine.yaml").write_text("tp: 2\n")
    told = describe_command(
        ["python", "-m", "engine", "--tp", "2", "--api-key", "abc", "--enable-x", "--scale=-1",
         "--config", "engine.yaml", "--sizes", "1", "2"],
        {},
        tmp_path,
    )  # fmt: skip
    digest = told.pop("option.config.sha256")
    assert isinstance(digest, str)
    assert len(digest) == 64
    assert told == {
        "command": "python -m engine --tp 2 --api-key '***' --enable-x --scale=-1 "
        "--config engine.yaml --sizes 1 2",
        "option.tp": "2",
        "option.api-key": "***",
        "option.enable-x": True,
        "option.scale": "-1",
        "option.config": "engine.yaml",
        "option.sizes": "1 2",
    }
