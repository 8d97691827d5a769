"""Foreign files: what cannot be read is one clear line, what was fused computes the same, nothing is half written."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.speed.layout_rules import CASES
from fusedet.common.errors import InputError
from fusedet.export import (
    ExportError,
    compare_latency,
    fold_batchnorms,
    fuse_file,
    input_shapes,
    prepare,
    random_inputs,
    read_foreign,
)
from fusedet.export.graph.ops import optimize
from fusedet.export.lint.foreign import compare_outputs
from tests.export.networks import conv, graph_of, node, quantised, run

LEAKY = [conv("x", "c", "first"), node("LeakyRelu", ["c"], "a", alpha=0.1), conv("a", "y")]


def saved(model, path):
    onnx.save(model, path)
    return path


def with_batchnorm(*, output_of_conv=False, epsilon=1e-3, bias=True):
    rng = np.random.default_rng(3)
    first = conv("x", "c", "first")
    if not bias:
        del first.input[2]
    norm = node("BatchNormalization", ["c", "scale", "offset", "mean", "variance"], "n", epsilon=epsilon)
    statistics = {name: rng.random(16).astype(np.float32) + 0.1 for name in norm.input[1:]}
    nodes = [first, norm, node("LeakyRelu", ["n"], "a", alpha=0.1), conv("a", "y")]
    return graph_of(nodes, outputs=("c", "y") if output_of_conv else ("y",), constants=statistics)


# --- fusing a file


def test_a_foreign_file_is_fused_and_compared(tmp_path):
    path = saved(graph_of(LEAKY), tmp_path / "net.onnx")
    before = path.read_bytes()

    result = fuse_file(path)

    assert result.fused == tmp_path / "net.fused.onnx"
    fused = onnx.load(result.fused)
    assert [n.op_type for n in fused.graph.node] == ["FusedConv", "Conv"]
    assert result.fusion.fused == ("LeakyRelu_a",)
    assert result.shapes == {"x": (1, 16, 8, 8)}
    assert [comparison.level for comparison in result.agreement] == ["none", "all"]
    assert all(c.inputs == 3 and c.values == 3 * 16 * 64 and c.difference < 1e-4 for c in result.agreement)
    assert path.read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {"net.onnx", "net.fused.onnx"}


def test_nothing_is_replaced_unasked(tmp_path):
    path = saved(graph_of(LEAKY), tmp_path / "net.onnx")
    taken = tmp_path / "taken.onnx"
    taken.write_text("mine")

    with pytest.raises(InputError, match=r"taken\.onnx: is already there; --force replaces it"):
        fuse_file(path, taken)
    assert taken.read_text() == "mine"
    fuse_file(path, taken, overwrite=True)
    assert onnx.load(taken).graph.node[0].op_type == "FusedConv"
    with pytest.raises(InputError, match="is the file to be fused"):
        fuse_file(path, path, overwrite=True)
    with pytest.raises(InputError, match="there is no folder"):
        fuse_file(path, tmp_path / "no" / "out.onnx")
    with pytest.raises(InputError, match="expected a file to write, but this is a folder"):
        fuse_file(path, tmp_path)


def test_batchnorms_and_weight_inputs_are_out_of_the_way_first(tmp_path):
    model = with_batchnorm()
    model.graph.input.extend(
        helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in model.graph.initializer
    )

    result = fuse_file(saved(model, tmp_path / "net.onnx"))

    assert result.prepared.batchnorms == ("BatchNormalization_n",)
    assert set(result.prepared.weight_inputs) == {"w", "b", "scale", "offset", "mean", "variance"}
    assert [n.op_type for n in onnx.load(result.fused).graph.node] == ["FusedConv", "Conv"]
    assert [v.name for v in onnx.load(result.fused).graph.input] == ["x"]


def test_clips_of_old_operator_sets_keep_their_limits(tmp_path):
    limits = {"min": -0.25, "max": 0.5}
    nodes = [conv("x", "c"), helper.make_node("Clip", ["c"], ["a"], name="clip", **limits), conv("a", "y")]
    newer = graph_of([nodes[0], node("Relu", ["c"], "a"), nodes[2]])
    graph = helper.make_graph(nodes, "old", newer.graph.input, newer.graph.output, newer.graph.initializer)
    old = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=8)

    result = fuse_file(saved(old, tmp_path / "old.onnx"))

    attributes = {a.name: helper.get_attribute_value(a) for a in result.fusion.model.graph.node[0].attribute}
    assert attributes["activation_params"] == [-0.25, 0.5]


UNFUSABLE = {
    "fused already": (None, "is fused already: 1 convolutions hold their activation, and none is left outside"),
    "silu": (
        [conv("x", "c"), node("Sigmoid", ["c"], "g"), node("Mul", ["c", "g"], "a"), conv("a", "y")],
        "nothing can be fused: 1 activations stand outside convolutions, the first one is Sigmoid_g: SiLU",
    ),
    "no activation": ([conv("x", "c"), conv("c", "y")], "there is nothing to fuse"),
}


@pytest.mark.parametrize(("nodes", "complaint"), UNFUSABLE.values(), ids=UNFUSABLE)
def test_where_there_is_nothing_to_fuse_nothing_is_written(nodes, complaint, tmp_path):
    path = tmp_path / "net.onnx"
    if nodes is None:
        fuse_file(saved(graph_of(LEAKY), path), tmp_path / "once.onnx")
        path = tmp_path / "once.onnx"
    else:
        saved(graph_of(nodes), path)
    before = set(tmp_path.iterdir())
    with pytest.raises(InputError, match=complaint):
        fuse_file(path)
    assert set(tmp_path.iterdir()) == before


def test_a_quantised_network_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected a float network, but this one is quantised"):
        fuse_file(saved(quantised(graph_of(LEAKY)), tmp_path / "net.onnx"))


def test_float16_is_fused_where_onnx_runtime_runs_it(tmp_path):
    half = CASES["float16"].offending_chain(blocks=1, side=8)
    result = fuse_file(saved(half, tmp_path / "half.onnx"))
    assert result.agreement[0].difference < 1e-2


# --- comparing


def test_a_difference_stops_everything(tmp_path):
    plain = graph_of(LEAKY)
    other = graph_of([LEAKY[0], node("LeakyRelu", ["c"], "a", alpha=0.11), LEAKY[2]])
    inputs = random_inputs(plain, {"x": (1, 16, 8, 8)}, "net")
    with pytest.raises(ExportError, match=r"net: output y of random input 1 at level none: plain gives .* by"):
        compare_outputs(plain, other, inputs, "none", "net")


def test_outputs_that_are_never_finite_prove_nothing():
    plain = graph_of([conv("x", "c"), node("Div", ["c", "zero"], "y")], constants={"zero": np.float32(0)})
    plain.graph.node[1].op_type = "Mul"
    plain.graph.initializer[-1].CopyFrom(numpy_helper.from_array(np.float32(np.nan), "zero"))
    inputs = random_inputs(plain, {"x": (1, 16, 8, 8)}, "net")
    with pytest.raises(ExportError, match="no finite number to compare"):
        compare_outputs(plain, plain, inputs, "none", "net")


def detector(shift):
    """The two best of many nearly equal scores, computed with a rounding that ``shift`` turns."""
    nodes = [
        conv("x", "c"),
        node("Mul", ["c", "nothing"], "flat"),
        node("Add", ["flat", "slope"], "s"),
        node("Reshape", ["s", "all"], "r"),
        helper.make_node("TopK", ["r", "two"], ["best", "where"], name="top"),
    ]
    slope = np.zeros((1, 16, 8, 8), np.float32)
    slope[0, 0, 0, :2] = 1.0, 1.0 + shift
    constants = {"nothing": np.float32(0), "slope": slope, "all": np.array([-1]), "two": np.array([2])}
    back = helper.make_node("Reshape", ["r", "back"], ["y"])
    model = graph_of([*nodes[:4], back], constants={**constants, "back": np.array([1, 16, 8, 8])})
    model.graph.node[4].CopyFrom(nodes[4])
    del model.graph.output[:]
    model.graph.output.extend(
        (
            helper.make_tensor_value_info("best", TensorProto.FLOAT, [2]),
            helper.make_tensor_value_info("where", TensorProto.INT64, [2]),
        )
    )
    model.graph.initializer.append(numpy_helper.from_array(constants["two"], "two"))
    return model


def test_a_decision_between_equals_is_compared_before_it_is_taken():
    inputs = random_inputs(detector(0), {"x": (1, 16, 8, 8)}, "net")
    same = compare_outputs(detector(0), detector(0), inputs, "none", "net")
    turned = compare_outputs(detector(-1e-6), detector(1e-6), inputs, "none", "net")
    assert (same.decided, same.values) == ((), 12)
    assert (turned.decided, turned.values) == (("TopK",), 3 * 16 * 64)
    assert "before TopK decides between equals" in str(turned)
    with pytest.raises(ExportError, match="output r of random input 1"):
        compare_outputs(detector(-1e-6), detector(1e-2), inputs, "none", "net")


def test_plain_and_fused_are_timed_at_each_level(tmp_path):
    plain = graph_of(LEAKY)
    latencies = compare_latency(
        {"plain": plain, "fused": plain}, random_inputs(plain, {"x": (1, 16, 8, 8)}, "n")[0], rounds=2, loads=1
    )
    assert [(one.level, one.model) for one in latencies] == [
        (level, model) for level in ("basic", "extended", "all") for model in ("plain", "fused")
    ]
    assert all(0 < one.ms_min <= one.ms_median and one.load_ms > 0 for one in latencies)


# --- reading


def bad_text(path):
    path.write_text("not a network")


def bad_empty(path):
    path.touch()


def bad_cut(path):
    path.write_bytes(graph_of(LEAKY).SerializeToString()[:500])


def bad_graph(path):
    model = graph_of(LEAKY)
    model.graph.node[1].input[0] = "nowhere"
    onnx.save(model, path)


def bad_name(path):
    model = graph_of(LEAKY)
    model.graph.node[0].name = "a name that is long"
    path.write_bytes(model.SerializeToString().replace(b"a name that is long", b"a name that is l\xffng"))


def bad_values(path):
    model = graph_of(LEAKY)
    model.graph.initializer[0].dims[0] -= 1
    onnx.save(model, path)


def bad_external(path):
    onnx.save(graph_of(LEAKY), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    (path.parent / "weights.bin").unlink()


def bad_cpu(path):
    onnx.save(graph_of(LEAKY), path)
    model = optimize(path)
    model.graph.node[0].domain = "com.microsoft.nchwc"  # as it is on x86
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (bad_text, "not an ONNX file"),
        (bad_empty, "not an ONNX file"),
        (bad_cut, "not an ONNX file"),
        (bad_graph, "not a valid ONNX graph: .*nowhere"),
        (bad_name, r"not a valid ONNX graph: expected names in UTF-8, but one is b'a name that is l.xffng'"),
        (bad_values, "not a valid ONNX graph: the values of '.*shape"),
        (bad_external, "the weights beside it .external data. cannot be read"),
        (bad_cpu, "optimising it for one CPU; give the file that it was made from"),
        (lambda path: path.mkdir(), "expected a file, but this is a folder"),
        (lambda path: None, "no such file"),
    ],
)
def test_what_cannot_be_read_is_one_line(write, complaint, tmp_path):
    path = tmp_path / "net.onnx"
    write(path)
    with pytest.raises(InputError, match=rf"^\S+net\.onnx: .*{complaint}") as caught:
        read_foreign(path)
    assert "\n" not in str(caught.value)


def test_weights_beside_the_file_are_taken_in(tmp_path):
    path = tmp_path / "net.onnx"
    onnx.save(graph_of(LEAKY), path, save_as_external_data=True, location="weights.bin", size_threshold=0)

    result = fuse_file(path)

    (tmp_path / "weights.bin").unlink()
    np.testing.assert_allclose(run(onnx.load(result.fused))[0], run(graph_of(LEAKY))[0], atol=1e-5)


def test_functions_are_written_out(tmp_path):
    model = graph_of(LEAKY)
    opsets = [helper.make_opsetid("", 17)]
    body = [helper.make_node("LeakyRelu", ["i"], ["o"], alpha=0.1)]
    model.functions.append(helper.make_function("own", "Act", ["i"], ["o"], body, opsets))
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node[1].CopyFrom(helper.make_node("Act", ["c"], ["a"], domain="own", name="act"))
    result = fuse_file(saved(model, tmp_path / "net.onnx"))
    assert len(result.fusion.fused) == 1


def test_operators_that_onnx_runtime_does_not_know(tmp_path):
    model = graph_of(LEAKY)
    model.graph.node[2].op_type, model.graph.node[2].domain = "Wonder", "somewhere"
    model.opset_import.append(helper.make_opsetid("somewhere", 1))
    with pytest.raises(InputError, match=r"net\.onnx \(plain\): ONNX Runtime [\d.]+ cannot run it: .*Wonder"):
        fuse_file(saved(model, tmp_path / "net.onnx"))
    assert not (tmp_path / "net.fused.onnx").exists()


# --- shapes and inputs


def model_with_input(*dims, kind=TensorProto.FLOAT, **metadata):
    value = helper.make_tensor_value_info("x", kind, dims)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [])
    model = helper.make_model(graph)
    helper.set_model_props(model, metadata)
    return model


@pytest.mark.parametrize(
    ("dims", "given", "metadata", "shape"),
    [
        ((1, 3, 64, 96), {}, {}, (1, 3, 64, 96)),
        (("N", 3, 64, 96), {}, {}, (1, 3, 64, 96)),
        (("N", 3, "H", "W"), {}, {}, (1, 3, 320, 320)),
        (("N", "C", None, None), {}, {"imgsz": "[256, 416]"}, (1, 3, 256, 416)),
        (("N", "H", "W", 3), {}, {}, (1, 320, 320, 3)),
        (("N", 3, "H", "W"), {}, {"imgsz": "large"}, (1, 3, 320, 320)),
        (("N", 2), {}, {}, (1, 2)),
        (("N", 3, "H", "W"), {"": (2, 3, 32, 48)}, {}, (2, 3, 32, 48)),
        (("N", 3, "H", "W"), {"x": (2, 3, 32, 48)}, {}, (2, 3, 32, 48)),
    ],
)
def test_shapes(dims, given, metadata, shape):
    assert input_shapes(model_with_input(*dims, **metadata), given, "net") == {"x": shape}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"z": (1, 3, 8, 8)}, "net: no input is called 'z'; the inputs are x"),
        ({"x": (1, 3, 8)}, r"net: --shape 1x3x8 does not fit the input x \[\?, 3, \?, \?\]"),
        ({"": (1, 4, 8, 8)}, "--shape 1x4x8x8 does not fit"),
        ({"": (1, 3, 0, 8)}, "--shape 1x3x0x8 does not fit"),
    ],
)
def test_shapes_that_do_not_fit(given, complaint):
    with pytest.raises(InputError, match=complaint):
        input_shapes(model_with_input("N", 3, "H", "W"), given, "net")


def test_a_shape_that_the_network_cannot_take_is_told_with_the_option(tmp_path):
    model = graph_of(
        [*LEAKY[:2], node("Add", ["a", "map"], "m"), conv("m", "y")],
        constants={"map": np.zeros((1, 16, 8, 8), np.float32)},
    )
    for dim, name in zip(model.graph.input[0].type.tensor_type.shape.dim[2:], "HW", strict=True):
        dim.dim_param = name
    path = saved(model, tmp_path / "net.onnx")
    with pytest.raises(InputError, match=r"does not run on x \[1, 16, 320, 320\] \(see --shape\)"):
        fuse_file(path)
    assert fuse_file(path, shapes={"x": (1, 16, 8, 8)}).shapes == {"x": (1, 16, 8, 8)}


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (TensorProto.FLOAT, 0, 255),
        (TensorProto.FLOAT16, 0, 255),
        (TensorProto.UINT8, 0, 255),
        (TensorProto.INT64, 320, 320),
        (TensorProto.BOOL, 1, 1),
    ],
)
def test_inputs_are_in_range(kind, low, high):
    model = model_with_input(1, 3, 32, 32, kind=kind)
    first, _, third = random_inputs(model, {"x": (1, 3, 32, 32)}, "net")
    assert first["x"].shape == third["x"].shape == (1, 3, 32, 32)
    assert third["x"].dtype == helper.tensor_dtype_to_np_dtype(kind)
    assert third["x"].min() >= low
    assert third["x"].max() <= high
    again = random_inputs(model, {"x": (1, 3, 32, 32)}, "net")[0]["x"]
    assert np.array_equal(again, first["x"])


def test_text_is_no_input():
    with pytest.raises(InputError, match="expected inputs of numbers, but x is STRING"):
        random_inputs(model_with_input(1, kind=TensorProto.STRING), {"x": (1,)}, "net")


# --- folding norms


@pytest.mark.parametrize("bias", [True, False])
def test_norms_are_folded_exactly(bias):
    plain = with_batchnorm(bias=bias)
    folded = onnx.ModelProto()
    folded.CopyFrom(plain)

    assert fold_batchnorms(folded) == ("BatchNormalization_n",)

    onnx.checker.check_model(folded, full_check=True)
    assert [n.op_type for n in folded.graph.node] == ["Conv", "LeakyRelu", "Conv"]
    assert folded.graph.node[0].name == "first"
    np.testing.assert_allclose(run(folded)[0], run(plain)[0], rtol=0, atol=1e-5)
    assert {t.name for t in folded.graph.initializer} == {"n_folded_weight", "n_folded_bias", "w", "b"}


def test_a_convolution_that_others_read_keeps_its_norm():
    model = with_batchnorm(output_of_conv=True)
    assert fold_batchnorms(model) == ()
    assert [n.op_type for n in model.graph.node] == ["Conv", "BatchNormalization", "LeakyRelu", "Conv"]


def test_preparing_leaves_the_model_as_it_is():
    model = with_batchnorm()
    before = model.SerializeToString(deterministic=True)
    assert prepare(model).batchnorms
    assert model.SerializeToString(deterministic=True) == before
