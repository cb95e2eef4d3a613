"""The notebook is committed as it was run last: with its pictures, and without what differs in every run."""

import json

import pytest

from tests.processes import ROOT

pytestmark = pytest.mark.any_database

NOTEBOOK = ROOT / "notebooks" / "performance.ipynb"


@pytest.fixture
def code():
    return [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]


def test_every_picture_is_committed_and_no_cell_has_failed(code):
    outputs = {cell["id"]: [output["output_type"] for output in cell["outputs"]] for cell in code}
    assert all(kinds in (["display_data"], ["execute_result"]) for kinds in outputs.values()), outputs
    for cell in code:
        if "plt.show()" in "".join(cell["source"]):
            assert cell["outputs"][0]["data"]["image/png"]


def test_the_cells_were_run_in_order_and_their_times_are_not_committed(code):
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert all("execution" not in cell["metadata"] for cell in code)
