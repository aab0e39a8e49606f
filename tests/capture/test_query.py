from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from tests.capture.helpers import opened
from tests.sources.material import triton_cache

from sassay.capture import query
from sassay.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from sassay.model.state import State


@pytest.fixture(scope="module")
def states() -> list[State]:
    state = opened(triton_cache())
    return [state, msgspec.structs.replace(state, label="two", kernels=state.kernels[:1])]


def test_tables_of_several_states(states: list[State]) -> None:
    result = query("SELECT state, count(*) AS n FROM kernels GROUP BY state ORDER BY n", states)
    assert result.columns == ("state", "n")
    assert result.rows == (("two", 1), (states[0].label, 3))
    total = query(
        "SELECT sum(count) FROM census WHERE state = 'two' AND layer = 'sass'", states
    ).rows[0][0]
    assert total == sum((states[1].kernels[0].instructions.sass or {}).values())
    assert query("SELECT sum(kernels) FROM families", states).rows == ((4,),)
    assert query("SELECT DISTINCT kind FROM sources ORDER BY 1", states).rows == (
        ("inductor",), ("triton",),
    )  # fmt: skip
    assert query("SELECT * FROM diagnostics", states).rows == ()


def test_unknown_is_null(states: list[State]) -> None:
    blind = msgspec.structs.replace(states[0].kernels[0], code_bytes=None)
    state = msgspec.structs.replace(states[0], kernels=(blind,))
    assert query("SELECT code_bytes FROM kernels", [state]).rows == ((None,),)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{0}')",
        "SELECT * FROM '{0}'",
        "SELECT * FROM glob('/*')",
        "COPY kernels TO '{1}'",
        "ATTACH '{1}'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "CREATE TABLE x AS SELECT 1",
        "DROP TABLE kernels",
        "SELECT 1; SELECT 2",
        "",
        "SELEC",
        "SELECT * FROM states",
        "EXPORT DATABASE '{1}'",
        "SELECT '" + "x" * (1 << 20) + "'",
    ],
)
def test_nothing_but_the_tables(states: list[State], sql: str, tmp_path: Path) -> None:
    secret, target = tmp_path / "secret.csv", tmp_path / "target"
    secret.write_text("a\n1\n")
    with pytest.raises(UsageError) as caught:
        query(sql.format(secret, target), states)
    assert "\n" not in str(caught.value)
    assert not target.exists()
