"""From a module to its local steps and the rest, by tracing it."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from counterstain.attribution.fast_forward_steps import (
    LocalStep,
    convolution,
    folded,
    max_pooling,
    pointwise,
)

__all__ = ["LocalProgram", "local_program"]

_ADDITIONS: tuple[Any, ...] = (operator.add, operator.iadd, torch.add)
_RELUS: tuple[Any, ...] = (torch.relu, functional.relu)


@dataclass(frozen=True)
class LocalProgram:
    """A network in inference as local steps and a tail.

    Parameters
    ----------
    steps : tuple of LocalStep
        Step n makes value n + 1; value 0 is the images ``(n, C, H, W)``.
    tail : callable
        From the last step's value to the network's output.
    """

    steps: tuple[LocalStep, ...]
    tail: Callable[[Tensor], Tensor]

    def values(self, images: Tensor) -> list[Tensor]:
        """Return the images and what each step makes of them."""
        values = [images.contiguous(memory_format=torch.channels_last)]
        for step in self.steps:
            values.append(step(*(values[index] for index in step.inputs), padded=False))
        return values


def local_program(module: nn.Module) -> LocalProgram | None:
    """Trace a module in evaluation mode; fold normalisation and activation into convolutions.

    Understood are convolutions, max pooling, batch normalisation, activations and additions, which
    make up the ResNets of timm and torchvision. From the first other layer on (as a rule the
    pooling before the classifier) everything is the tail and computed as it is.

    Parameters
    ----------
    module : torch.nn.Module
        Takes ``(N, C, H, W)``. Its weights are copied where they are folded.

    Returns
    -------
    LocalProgram or None
        None where the module cannot be traced, does not begin with local steps, or its tail reads
        more than the last of them.

    Examples
    --------
    >>> layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten())
    >>> program = local_program(layers.eval())
    >>> len(program.steps), program.steps[0].relu
    (1, True)
    >>> program.tail(program.values(torch.zeros(1, 1, 4, 4))[-1]).shape
    torch.Size([1, 8])
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = fx.Tracer().trace(module)
    # Tracing runs the module's own code on stand-ins, and that may fail in any way.
    except Exception:
        return None
    nodes = list(graph.nodes)
    steps, numbers, last = _local_part(module, nodes)
    if not steps or len([node for node in nodes if node.op == "placeholder"]) != 1:
        return None
    tail = _tail(module, nodes, numbers, last)
    return None if tail is None else LocalProgram(tuple(steps), tail)


def _local_part(
    module: nn.Module, nodes: list[fx.Node]
) -> tuple[list[LocalStep], dict[fx.Node, int], fx.Node | None]:
    steps: list[LocalStep] = []
    numbers: dict[fx.Node, int] = {}
    last: fx.Node | None = None
    for node in nodes:
        if node.op == "placeholder":
            numbers[node] = 0
            continue
        sources = [numbers.get(source, -1) for source in node.all_input_nodes]
        if -1 in sources or not sources:
            break
        merged = _merged(module, node, steps, sources)
        if merged is not None:
            steps[-1] = merged
        else:
            step = _step(module, node, sources)
            if step is None:
                break
            steps.append(step)
        numbers[node] = len(steps)
        last = node
    return steps, numbers, last


def _layer(module: nn.Module, node: fx.Node) -> nn.Module | None:
    return module.get_submodule(str(node.target)) if node.op == "call_module" else None


def _step(module: nn.Module, node: fx.Node, sources: list[int]) -> LocalStep | None:
    if node.op == "call_function" and node.target in _ADDITIONS:
        plain = len(node.args) == 2 and not node.kwargs
        return LocalStep(tuple(sources)) if plain and len(sources) == 2 else None
    if _is_relu(module, node):
        return LocalStep((sources[0],), run=torch.relu)
    layer = _layer(module, node)
    if layer is None or len(sources) != 1:
        return None
    for make in (convolution, max_pooling, pointwise):
        step = make(sources[0], layer)
        if step is not None:
            return step
    return None


def _is_relu(module: nn.Module, node: fx.Node) -> bool:
    if node.op == "call_function":
        return node.target in _RELUS
    return type(_layer(module, node)) is nn.ReLU


def _merged(
    module: nn.Module, node: fx.Node, steps: list[LocalStep], sources: list[int]
) -> LocalStep | None:
    """Return the last step with this node in it, where nothing else reads the last step."""
    if len(sources) != 1 or sources[0] != len(steps) or not steps:
        return None
    if len(node.all_input_nodes[0].users) != 1 or steps[-1].relu:
        return None
    before, layer = steps[-1], _layer(module, node)
    if isinstance(layer, nn.Identity | nn.Dropout):
        return before
    if type(layer) is nn.BatchNorm2d and before.weight is not None:
        return folded(before, layer) if layer.running_mean is not None else None
    fresh = before.weight is not None or before.run is None
    return replace(before, relu=True) if fresh and _is_relu(module, node) else None


def _tail(
    module: nn.Module, nodes: list[fx.Node], numbers: dict[fx.Node, int], last: fx.Node | None
) -> Callable[[Tensor], Tensor] | None:
    graph = fx.Graph()
    copied: dict[fx.Node, fx.Node] = {}
    if last is None:
        return None
    copied[last] = graph.placeholder("value")
    for node in nodes:
        if node in numbers:
            continue
        if any(source not in copied for source in node.all_input_nodes):
            return None
        copied[node] = graph.node_copy(node, lambda source: copied[source])
    return fx.GraphModule(module, graph)
