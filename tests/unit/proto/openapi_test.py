"""proto/openapi.yaml is valid. That it has every route, and no other, is a unit test of the query service."""
import pathlib

import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator

DOCUMENT = pathlib.Path(__file__).resolve().parents[3] / "proto" / "openapi.yaml"


def test_the_document_is_valid():
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in OpenAPIV31SpecValidator(yaml.safe_load(DOCUMENT.read_text())).iter_errors()]
    assert errors == []
