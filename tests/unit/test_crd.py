"""The generated CustomResourceDefinition: current, structural, explained, bounded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.api.crd import custom_resource_definition, main, render

COMMITTED = Path(__file__).parents[2] / "crds" / "compositescalers.yaml"


def schema() -> dict[str, Any]:
    version: dict[str, Any] = custom_resource_definition()["spec"]["versions"][0]
    return dict(version["schema"]["openAPIV3Schema"])


def parts(shape: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, shape
    for name, part in shape.get("properties", {}).items():
        yield from parts(part, f"{path}.{name}")
    if "items" in shape:
        yield from parts(shape["items"], f"{path}[]")


def fields() -> list[tuple[str, dict[str, Any]]]:
    return [(path, part) for path, part in parts(schema()) if path.startswith((".spec", ".status"))]


def test_the_committed_file_is_what_the_models_generate() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == render(), (
        "run: python -m controller.api.crd > crds/compositescalers.yaml"
    )


def test_check_says_yes_to_the_generated_file_and_no_to_any_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "crd.yaml"
    main([])
    file.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["--check", str(file)]) == 0
    file.write_text(render().replace("maxReplicas", "mostReplicas"), encoding="utf-8")
    assert main(["--check", str(file)]) == 1
    assert "is not what the models generate, run: python -m controller.api.crd" in capsys.readouterr().err
    assert main(["--check", str(tmp_path / "none.yaml")]) == 1


def test_the_schema_is_structural() -> None:
    for path, part in fields():
        assert not {"$ref", "anyOf", "allOf", "oneOf", "const", "additionalProperties", "title"} & part.keys(), path
        assert ("type" in part) != ("x-kubernetes-int-or-string" in part), path
        assert isinstance(part.get("exclusiveMinimum", False), bool), path


def test_every_field_is_explained_in_a_sentence() -> None:
    for path, part in fields():
        if not path.endswith("[]"):
            assert part.get("description", "").endswith("."), path


def test_every_list_and_text_of_the_spec_is_bounded_so_that_rules_stay_cheap() -> None:
    for path, part in fields():
        if not path.startswith(".spec"):
            continue
        if part.get("type") == "array":
            assert "maxItems" in part, path
        if (part.get("type") == "string" and "enum" not in part) or "x-kubernetes-int-or-string" in part:
            assert "maxLength" in part, path


def test_int_or_string_stays_out_of_lists() -> None:
    assert not [path for path, part in fields() if "x-kubernetes-int-or-string" in part and "[]" in path]


def test_every_rule_has_a_static_message_in_case_its_expression_fails() -> None:
    rules = [rule for _, part in fields() for rule in part.get("x-kubernetes-validations", ())]
    assert len(rules) >= 20
    assert all(rule["message"] and rule["rule"] for rule in rules)


def test_no_default_is_shown_for_a_behavior_that_nobody_wrote() -> None:
    spec = schema()["properties"]["spec"]["properties"]
    assert "default" not in spec["behavior"]
    assert "default" not in spec["behavior"]["properties"]["scaleUp"]
    assert spec["behavior"]["properties"]["scaleUp"]["properties"]["policies"]["default"] == [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ]
    assert spec["magnitude"]["default"] == {}


def test_the_status_is_a_subresource_without_defaults_and_there_is_no_scale() -> None:
    version = custom_resource_definition()["spec"]["versions"][0]
    assert version["subresources"] == {"status": {}}
    assert not [path for path, part in fields() if path.startswith(".status") and "default" in part]


def test_conditions_are_merged_by_type() -> None:
    conditions = schema()["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
