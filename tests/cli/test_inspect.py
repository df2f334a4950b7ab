from __future__ import annotations

from commands import call


def test_cut_points_have_index_name_shape_and_share() -> None:
    found = call("inspect", "--model", "zoo:lenet5", "--json").json
    assert found["macs"] == 416_520
    assert found["cuts"][0] == {"index": 0, "name": "pool1", "shape": [6, 14, 14], "share": 117_600 / 416_520}


def test_the_table_names_every_cut_point() -> None:
    done = call("inspect", "--model", "zoo:mlp")
    assert done.code == 0
    assert all(name in done.out for name in ("cut", "name", "shape", "MACs before, %", "zoo:mlp"))
