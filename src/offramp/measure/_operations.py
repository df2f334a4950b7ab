"""What single operations of PyTorch cost, and which of them nobody knows the cost of.

Shape letters: as in each operation's own documentation.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log2, prod
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from offramp.errors import OfframpWarning

Formula = Callable[..., float]  # from the operation's arguments and its result to multiply-accumulates


def _matrix_vector(matrix: Tensor, *rest: Any) -> int:  # Any: whatever else the operation takes; so below
    return matrix.numel()


def _added_matrix_vector(added: Tensor, matrix: Tensor, *rest: Any) -> int:
    return matrix.numel()


def _outer(added: Tensor, first: Tensor, second: Tensor, *rest: Any) -> int:
    return first.numel() * second.numel()


def _added_matrices(added: Tensor, first: Tensor, second: Tensor, *rest: Any) -> int:
    return first.numel() * second.shape[-1]


def _matrices(first: Tensor, second: Tensor, *rest: Any) -> int:
    return first.numel() * second.shape[-1]


def _trilinear(
    first: Tensor, second: Tensor, third: Tensor, *expanded: Sequence[int], result: Any = None, **options: Any
) -> int:
    """The sum of products of three tensors over all that their axes span: for `nn.Bilinear` rows x out x in1 x in2."""
    spread = [list(tensor.shape) for tensor in (first, second, third)]
    for sizes, axes in zip(spread, expanded, strict=False):
        for axis in sorted(axes):
            sizes.insert(axis, 1)
    return prod(map(max, zip(*spread, strict=True)))


def _distances(first: Tensor, second: Tensor, *rest: Any, result: Tensor) -> int:
    return result.numel() * first.shape[-1]


def _own_distances(points: Tensor, *rest: Any, result: Tensor) -> int:
    return result.numel() * points.shape[-1]


def _attention(query: Tensor, key: Tensor, value: Tensor, *rest: Any) -> int:
    """Queries times keys, and weights times values."""
    pairs = query.numel() // query.shape[-1] * key.shape[-2]
    return pairs * (query.shape[-1] + value.shape[-1])


def _recurrent_layer(steps: Tensor, weight: Tensor, recurrent: Tensor, *rest: Any) -> int:
    """One direction of one layer: at each step of each sequence both weights once."""
    return steps.shape[0] * steps.shape[1] * (weight.numel() + recurrent.numel())


def _recurrent_stack(steps: Tensor, weights: Sequence[Tensor], *rest: Any) -> int:
    """All layers and directions at once, as the libraries of graphics cards run them."""
    return steps.shape[0] * steps.shape[1] * sum(each.numel() for each in weights if each.ndim == 2)


def _time_convolution(steps: Tensor, weight: Tensor, *rest: Any, result: Tensor) -> int:
    return result.numel() * weight.shape[0] * weight.shape[1]


def _deformable_convolution(picture: Tensor, weight: Tensor, *rest: Any, result: Tensor) -> int:
    return result.numel() * prod(weight.shape[1:])


def _weighted_bag(weight: Tensor, indices: Tensor, *rest: Any) -> int:
    """A sum of rows is free; with a weight per row it is a product."""
    return indices.numel() * weight.shape[1] if any(isinstance(each, Tensor) for each in rest[1:]) else 0


def _fourier(signal: Tensor, axes: Sequence[int], *rest: Any, result: Tensor) -> float:
    """The usual estimate, 5 n log2 n operations for n complex numbers; half of that if they are real."""
    longer = max(signal, result, key=Tensor.numel)
    complex_only = signal.is_complex() and result.is_complex()
    length = prod(longer.shape[axis] for axis in axes)
    return (2.5 if complex_only else 1.25) * longer.numel() * log2(max(length, 1))


def _spread_product(first: Any, second: Any, *rest: Any, result: Tensor) -> int:
    """An outer product, also when it is written as a product of tensors that both spread; else it is free."""
    if not (isinstance(first, Tensor) and isinstance(second, Tensor)):
        return 0
    return result.numel() if result.numel() > max(first.numel(), second.numel()) else 0


FORMULAS: Mapping[str, Formula] = {  # products that PyTorch's own counter leaves out
    "aten::mv": _matrix_vector,
    "aten::dot": _matrix_vector,
    "aten::vdot": _matrix_vector,
    "aten::addmv": _added_matrix_vector,
    "aten::addmv_": _added_matrix_vector,
    "aten::addr": _outer,
    "aten::addr_": _outer,
    "aten::mul": _spread_product,
    "aten::addbmm": _added_matrices,
    "aten::addbmm_": _added_matrices,
    "aten::addmm_": _added_matrices,
    "aten::baddbmm_": _added_matrices,
    "aten::_addmm_activation": _added_matrices,
    "aten::_int_mm": _matrices,
    "aten::_trilinear": _trilinear,
    "aten::_cdist_forward": _distances,
    "aten::_euclidean_dist": _distances,
    "aten::_pdist_forward": _own_distances,
    "aten::_scaled_dot_product_flash_attention_for_cpu": _attention,
    "aten::_scaled_dot_product_fused_attention_overrideable": _attention,
    "aten::mkldnn_rnn_layer": _recurrent_layer,
    "aten::_cudnn_rnn": _recurrent_stack,
    "aten::miopen_rnn": _recurrent_stack,
    "aten::conv_tbc": _time_convolution,
    "torchvision::deform_conv2d": _deformable_convolution,
    "aten::_embedding_bag": _weighted_bag,
    "aten::_embedding_bag_forward_only": _weighted_bag,
    "aten::_fft_r2c": _fourier,
    "aten::_fft_c2c": _fourier,
    "aten::_fft_c2r": _fourier,
}
_RESULT = {name for name, formula in FORMULAS.items() if "result" in formula.__code__.co_varnames}

# Moves, lookups, pooling, resampling, normalization and random numbers: free, like all that is done number by number.
_FREE = """
_adaptive_avg_pool2d _adaptive_avg_pool3d _aminmax _assert_async _assert_scalar _assert_tensor_metadata
_batch_norm_no_update _batch_norm_with_update _chunk_cat _ctc_loss _efficientzerotensor _functional_assert_async
_functional_assert_scalar _fused_dropout _fused_rms_norm _index_put_impl_ _is_all_true _is_any_true
_linalg_check_errors _local_scalar_dense _log_softmax _masked_softmax _native_batch_norm_legit
_native_batch_norm_legit_functional _native_batch_norm_legit_no_training _pack_padded_sequence
_pad_packed_sequence _padded_dense_to_jagged_forward _pin_memory _prelu_kernel _reshape_copy _resize_output_
_safe_softmax _softmax _stack _standard_gamma _thnn_fused_gru_cell _thnn_fused_lstm_cell _to_copy _to_cpu _unique
_unique2 _unsafe_index _unsafe_index_put _unsafe_masked_index _unsafe_masked_index_put_accumulate _unsafe_view
_upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_nearest_exact1d _upsample_nearest_exact2d
_upsample_nearest_exact3d _weight_norm_interface abs_ adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool2d
adaptive_max_pool3d affine_grid_generator all allclose any arange argsort as_strided_scatter avg_pool2d avg_pool3d
batch_norm batch_norm_elemt bernoulli bernoulli_ bincount block_diag bucketize cat cauchy_ channel_shuffle col2im
complex constant_pad_nd copy copy_ copysign_ cudnn_batch_norm cummax cummin cumprod cumprod_ cumsum cumsum_
diag_embed diagonal_scatter dist dropout embedding embedding_renorm_ empty empty_like empty_permuted empty_strided
eq_ exponential exponential_ eye fill fill_ flip floor_divide floor_divide_ fractional_max_pool2d
fractional_max_pool3d full full_like gather gcd_ ge_ gelu_ geometric_ glu grid_sampler_2d grid_sampler_3d
group_norm gt_ hardswish hardswish_ heaviside_ histc histogram huber_loss im2col index index_add index_add_
index_copy index_copy_ index_fill index_fill_ index_put index_put_ index_reduce index_select is_nonzero is_pinned
is_same_size is_set_to isclose isin item kthvalue lcm_ le_ lift linalg_cross linspace log_normal_
log_sigmoid_forward logcumsumexp logspace lt_ lu_unpack masked_fill masked_fill_ masked_scatter masked_scatter_
masked_select max_pool2d max_pool2d_with_indices max_pool3d_with_indices max_unpool2d max_unpool3d median
miopen_batch_norm mish_ mkldnn_adaptive_avg_pool2d mkldnn_max_pool2d mode mse_loss multinomial nanmedian
native_batch_norm native_channel_shuffle native_dropout native_group_norm native_layer_norm native_norm ne_
new_empty new_empty_strided new_full new_ones new_zeros nonzero nonzero_static normal normal_ normal_functional
one_hot ones ones_like pixel_shuffle pixel_unshuffle poisson polar prelu put put_ rand rand_like randint
randint_like randn randn_like random random_ randperm range reflection_pad1d reflection_pad2d reflection_pad3d
renorm renorm_ repeat repeat_interleave replication_pad1d replication_pad2d replication_pad3d roll rot90
rrelu_with_noise rrelu_with_noise_ rsub scalar_tensor scatter scatter_ scatter_add scatter_add_ scatter_reduce
scatter_reduce_ searchsorted segment_reduce select_scatter size smooth_l1_loss sort stack stride sum
sym_constrain_range sym_constrain_range_for_size sym_numel sym_size sym_storage_offset sym_stride take threshold_
to_padded_tensor topk trace tril tril_ tril_indices triu triu_ triu_indices uniform uniform_ unique_consecutive
unique_dim unique_dim_consecutive unsafe_chunk unsafe_split unsafe_split_with_sizes upsample_bicubic2d
upsample_bilinear2d upsample_linear1d upsample_nearest1d upsample_nearest2d upsample_nearest3d
upsample_trilinear3d where xlogy_ zero zero_ zeros zeros_like
"""
FREE = frozenset(f"aten::{name}" for name in _FREE.split())
_FREE_TAGS = {torch.Tag.pointwise, torch.Tag.reduction, torch.Tag.view_copy, torch.Tag.inplace_view}
_FREE_NAMESPACES = {"prim", "prims", "profiler", "c10d"}


class Counter:
    """Counts the multiply-accumulates of what runs while it is open, and remembers what it does not know.

    Attributes:
        uncounted: Names of operations that ran, are no plain arithmetic number by number, and were not counted.
    """

    def __init__(self) -> None:
        self._known = FlopCounterMode(display=False)
        self._watch = _Watch(self._known)

    @property
    def macs(self) -> int:
        """So far."""
        return self._known.get_total_flops() // 2 + round(self._watch.macs)

    @property
    def uncounted(self) -> set[str]:
        return self._watch.uncounted

    def __enter__(self) -> Counter:
        self._watch.__enter__()  # type: ignore[no-untyped-call]  # PyTorch's own
        self._known.__enter__()  # type: ignore[no-untyped-call]  # PyTorch's own
        return self

    def __exit__(self, *error: Any) -> None:
        self._known.__exit__(*error)  # type: ignore[no-untyped-call]  # PyTorch's own
        self._watch.__exit__(*error)  # type: ignore[no-untyped-call]  # PyTorch's own


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's own
    """Sees every operation behind PyTorch's own counter."""

    def __init__(self, known: FlopCounterMode) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch's own
        self.known = known
        self.macs = 0.0
        self.uncounted: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func._schema.name if isinstance(func, OpOverload) else str(func)
        if name in FORMULAS:
            self.macs += _apply(name, args, kwargs or {}, result)
        elif not (name in FREE or _is_free(func, name) or _in_registry(func, self.known)):
            self.uncounted.add(name.removeprefix("aten::"))
        return result


def warn_uncounted(names: Iterable[str]) -> None:
    """Say which operations count as free although nobody knows whether they are.

    Args:
        names: Names of operations that the counter knows no cost of.
    """
    found = sorted(names)
    if found:
        warnings.warn(
            f"the cost of {', '.join(found)} is not known and counts as nothing, so MACs and gains in MACs leave it "
            "out. Look at measured times instead.",
            OfframpWarning,
            stacklevel=3,
        )


def _apply(name: str, args: Sequence[Any], kwargs: Mapping[str, Any], result: Any) -> float:
    result = result[0] if isinstance(result, tuple) else result
    return FORMULAS[name](*args, **({"result": result} if name in _RESULT else {}))


def _is_free(func: Any, name: str) -> bool:
    if name.partition("::")[0] in _FREE_NAMESPACES:
        return True
    return getattr(func, "is_view", False) or bool(_FREE_TAGS & set(getattr(func, "tags", ())))


def _in_registry(func: Any, known: FlopCounterMode) -> bool:
    return getattr(func, "overloadpacket", func) in known.flop_registry
