from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from tests.report.cases import cases

from sassay.errors import UsageError
from sassay.report import render


def test_every_outcome_has_its_element() -> None:
    root = ET.fromstring(render("junit", cases()["check"]))
    suite = root.find("testsuite")
    assert suite is not None
    assert suite.attrib["name"] == "router.yaml"
    outcomes = {
        (case.attrib["classname"], case.attrib["name"]): [child.tag for child in case]
        for case in suite.iter("testcase")
    }
    norm = "_gemma_qkv_rmsnorm_kernel [sm_90a]"
    assert outcomes == {
        ("no-new-conversions", f"{norm} (ptx)"): ["failure"],
        ("no-spills", "all families"): [],
        ("register-growth", "could not judge"): ["error"],
        ("review-kernel-family-deltas", norm): ["failure"],
        ("review-kernel-family-deltas", "_gemma4_topk_softmax_scale_kernel [sm_90a]"): ["skipped"],
        ("tensor-cores-seen", "fused_moe_kernel [sm_90a] (sass)"): ["system-out"],
    }
    for element in (root, suite):
        counts = {name: int(element.attrib[name]) for name in ("tests", "failures", "errors")}
        assert counts == {"tests": 6, "failures": 2, "errors": 1}
        assert element.attrib["skipped"] == "1"
    failures = [case.attrib["type"] for case in suite.iter("failure")]
    assert failures == ["fail", "review"]


def test_nothing_judged_is_no_green_report() -> None:
    with pytest.raises(UsageError, match="findings of a policy"):
        render("junit", cases()["diff"])
