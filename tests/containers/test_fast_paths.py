"""What is read of a whole table at once is what a careful reader finds one by one."""

from __future__ import annotations

import gc
import hashlib
import random
import struct
import weakref
from itertools import pairwise

import msgspec
import pytest
from tests.containers.kernels import assemble

from sassay.containers import read_cubin, read_elf
from sassay.containers.constants import CodeSpan, constant_operands
from sassay.containers.digest import Digests, named_constants, packed, stable_relocations
from sassay.containers.elf import EM_CUDA, STT_FUNC, STT_OBJECT, Elf
from sassay.containers.kernel_sections import KernelSections
from sassay.containers.nvinfo import Attribute, read_info, read_part, read_totals
from sassay.containers.strings import StringTable
from sassay.errors import FormatError
from sassay.model.code import Relocation
from sassay.model.kernel import Launch, Resources


def one_by_one(table: StringTable, offsets: list[int]) -> tuple[list[str], str]:
    try:
        return [table.at(offset) for offset in offsets], ""
    except FormatError as error:
        return [], str(error)


@pytest.mark.parametrize("longest", [4, 3000, 300_000])
def test_all_strings_are_those_that_are_read_one_by_one(longest: int) -> None:
    rng = random.Random(longest)
    refused = 0
    for _ in range(40):
        parts = [rng.randbytes(rng.randrange(longest)) for _ in range(rng.randrange(1, 8))]
        plain = rng.random() < 0.5
        data = b"\0".join(bytes(byte & 0x7F or 1 for byte in p) if plain else p for p in parts)
        data += b"\0" * rng.randrange(2)
        most = len(data) + rng.choice((0, 0, 0, 2))
        offsets = [rng.randrange(most + 1) for _ in range(rng.choice((0, 1, 90, 400)))]
        tables = [StringTable(data, "names", 64, "m") for _ in range(2)]
        expected, said = one_by_one(tables[0], offsets)
        refused += bool(said)
        if said:
            with pytest.raises(FormatError) as caught:
                tables[1].all_at(offsets)
            assert str(caught.value) == said
        else:
            assert tables[1].all_at(offsets) == expected
        assert tables[0].spent == tables[1].spent
    assert 0 < refused < 40


def attribute(rng: random.Random) -> bytes:
    number = rng.choice([*Attribute, 0x1B, 0x1C, 0x36])
    form = rng.choice((1, 2, 3, 4, 4, 4, 4, rng.randrange(7)))
    if form != 4:
        return bytes((form, number)) + rng.randbytes(2)
    size = rng.choice((8, 8, 12, 12, 4, 0, rng.randrange(40)))
    padded = size if rng.random() < 0.1 else (size + 3) & ~3
    return struct.pack("<BBH", 4, number, size) + rng.randbytes(padded)


def test_what_is_left_of_an_info_section_says_the_same() -> None:
    rng = random.Random(3)
    plain = 0
    for _ in range(2000):
        data = b"".join(attribute(rng) for _ in range(rng.randrange(9)))
        if rng.random() < 0.5:
            data += struct.pack("<BBH12s", 4, Attribute.KPARAM_INFO, 12, b"") * rng.randrange(5)
        data = data[: len(data) - rng.choice((0, 0, 0, 0, 1, 4))]
        part = read_part(data)
        try:
            expected = read_info(data, artifact="m", place="section")
        except FormatError:
            assert part is None
            continue
        if part is not None:
            plain += 1
            assert read_info(part, artifact="m", place="section") == expected
            assert len(part) <= len(data)
    assert plain > 400


def test_totals_are_those_of_the_attributes() -> None:
    rng = random.Random(4)
    numbers = (Attribute.REGCOUNT, Attribute.FRAME_SIZE, Attribute.MIN_STACK_SIZE)
    for size in (0, 1, 40):
        data = b"".join(
            struct.pack("<BBHII", 4, rng.choice(numbers), 8, rng.randrange(9), rng.randrange(99))
            for _ in range(size)
        )
        expected: dict[int, dict[int, int]] = {int(number): {} for number in numbers}
        for info in read_info(data, artifact="m", place="section"):
            symbol, value = struct.unpack("<II", info.content)
            expected[info.number][symbol] = value
        assert read_totals(data) == expected
    assert read_totals(data + b"\x04\x37\x08\x00" + bytes(8)) is None
    assert read_totals(data + b"\x01\x36\x00\x00") is None


def test_digests_are_those_of_whole_values() -> None:
    relocations = (Relocation(16, 2, "_INTERNAL_0a1b2c3d_4_a_cu_deadbeef_12", 4),)
    constants = [("own2", b"abc"), ("c3+4", b"")]
    launch, resources = Launch(block=(32, 1, 1), warps=1), Resources(registers=24)
    parameters = [(0x17, 12, "00ff")]
    code = hashlib.sha256(b"code").digest()
    digests = Digests("sm_90a")
    whole = {
        "arch": "sm_90a",
        "code": code,
        "relocations": [(16, 2, "_INTERNAL_a_cu", 4)],
        "constants": [(label, hashlib.blake2b(c).hexdigest()) for label, c in constants],
        "launch": launch,
        "resources": resources,
        "parameters": parameters,
    }
    found = digests.code(
        code,
        relocations=stable_relocations(relocations),
        constants=named_constants(constants),
        launch=packed(launch),
        resources=packed(resources),
        parameters=packed(parameters),
    )
    assert found == hashlib.blake2b(msgspec.msgpack.encode(whole), digest_size=20).hexdigest()
    banks, symbols = [(3, code)], [(4, 8, "table")]
    record = b"S" + msgspec.msgpack.encode(("sm_90a", code, relocations, banks, symbols))
    sass = digests.sass(
        code, relocations=packed(relocations), constants=packed(banks), symbols=packed(symbols)
    )
    assert sass == hashlib.blake2b(record, digest_size=20).hexdigest()


@pytest.mark.parametrize("banks", [(1,), (3,), (3, 4), (31,), (4, 40)])
def test_sections_searched_together_name_what_each_names(banks: tuple[int, ...]) -> None:
    rng = random.Random(sum(banks))
    words: list[int] = []
    for _ in range(3000):
        low = rng.getrandbits(64)
        opcode = rng.choice((low & 0xFFF, 0x7AC, 0xB1D, 0x624, 0xA24))
        bank = rng.choice((*banks, banks[0] - 1, rng.randrange(32))) & 0x1F
        words += (low & ~0xFFF & ~(0x1F << 54) | opcode | bank << 54, rng.getrandbits(64))
    code = struct.pack(f"<{len(words)}Q", *words)
    marks = sorted(rng.sample(range(0, len(code), 16), 40))
    spans = [(first, last - first) for first, last in pairwise(marks)]
    headers = tuple((0, 1, 4, 0, offset, size, 0, 0, 16, 0) for offset, size in spans)
    names = tuple(f".text.k{number}" for number in range(len(spans)))
    elf = Elf(memoryview(code), "m", 2, EM_CUDA, 51, 7, 0, 0, headers, names)
    span = CodeSpan(elf, elf.sections, banks)
    hits = 0
    for section in elf.sections:
        found = span.operands(section)
        every = constant_operands(elf.content(section))
        assert found is not None
        assert every is not None
        for bank in banks:
            assert found.get(bank) == every.get(bank)
            hits += len(every.get(bank, ()))
    assert hits > 100


@pytest.mark.parametrize("relocatable", [False, True])
def test_symbols_and_sections_by_name_are_those_of_the_file(relocatable: bool) -> None:
    data = assemble("sm_90a", relocatable=relocatable)
    rng = random.Random(9)
    elf = read_elf(data, artifact="m")
    table = struct.unpack_from("<Q", data, 40)[0]
    for _ in range(60):
        # Names and types of sections, so that some repeat and some are gone.
        broken = bytearray(data)
        first, second = rng.sample(range(1, len(elf.sections)), 2)
        size = rng.choice((4, 8))
        broken[table + 64 * first : table + 64 * first + size] = broken[
            table + 64 * second : table + 64 * second + size
        ]
        try:
            other = read_elf(bytes(broken), artifact="m")
            symbols = list(other.symbols)
        except FormatError:
            continue
        for kind in (STT_OBJECT, STT_FUNC):
            expected = [
                (i, s.value, s.size, s.other, s.section)
                for i, s in enumerate(symbols)
                if s.type == kind
            ]
            assert [msgspec.structs.astuple(s) for s in other.symbols.of_type(kind)] == expected
        sections = KernelSections(other)
        for prefix, sizes in (
            (".nv.shared.", sections.shared_bytes),
            (".nv.local.", sections.local_bytes),
            (".nv.constant0.", sections.parameter_bytes),
        ):
            named = {n: s for n, s in other.by_name.items() if n.startswith(prefix)}
            assert sizes == {name.removeprefix(prefix): s.size for name, s in named.items()}
        for name, section in other.by_name.items():
            assert section == next(s for s in other.sections if s.name == name)


def test_equal_kernels_share_their_records() -> None:
    first, second = (read_cubin(assemble("sm_80"), artifact="m").kernels for _ in range(2))
    for before, after in zip(first, second, strict=True):
        assert before == after
        assert before.resources is after.resources
        assert before.launch is after.launch


def test_a_cubin_that_was_read_is_let_go_without_looking_for_cycles() -> None:
    # Readers of many cubins switch that search off: a cycle would keep every cubin's bytes.
    data = assemble("sm_90a")
    read_cubin(data, artifact="warm")
    gc.collect()
    gc.disable()
    try:
        elf = read_elf(bytes(data), artifact="m")
        assert list(elf.symbols)
        gone = weakref.ref(elf.symbols)
        del elf
        assert gone() is None
    finally:
        gc.enable()
