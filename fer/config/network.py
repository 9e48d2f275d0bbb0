"""The networks that params.yaml can describe: a block's `network:`, by its `type`.

Every field must be given: no hidden default decides a result. fer/models/networks.py builds them.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fer.config.settings import Count, Positive, Rate, Settings

Counts = Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]
Hidden = Annotated[tuple[Count, ...], Field(strict=False)]  # units of each hidden layer; [] for none
Pooling = Literal["max", "fractional"]  # fractional: Graham 2015, fer/models/pooling.py


class Stack(Settings):
    """A convolution, norm, pool and ReLU for each of `filters`, then affine layers: reports 000, 001, Lausanne."""

    type: Literal["stack"]
    filters: Counts
    kernels: Counts  # side of each convolution's filters, in pixels
    hidden: Hidden
    batch_norm: bool  # after each convolution
    batch_norm_hidden: bool  # after each hidden layer
    dropout: Rate  # after each pool and hidden layer
    pooling: Pooling

    @model_validator(mode="after")
    def one_kernel_a_convolution(self) -> Self:
        if len(self.filters) != len(self.kernels):
            raise ValueError(f"kernels: one for each of the {len(self.filters)} filters, got {len(self.kernels)}")
        if any(kernel % 2 == 0 for kernel in self.kernels):
            raise ValueError("kernels: odd sides, so that a convolution keeps its input's size")
        return self


class ConvPairs(Settings):
    """Two valid convolutions with norm and ReLU, then a pool, for each of `filters`: report 002."""

    type: Literal["conv_pairs"]
    filters: Counts
    kernel: Count
    hidden: Hidden
    batch_norm: bool
    dropout: Rate
    pooling: Pooling


class Vgg(Settings):
    """`convolutions[i]` 3x3 convolutions of `filters[i]` a block, a pool after each; the mean over space, dropout."""

    type: Literal["vgg"]
    convolutions: Counts
    filters: Counts
    width: Positive  # factor on filters
    batch_norm: bool
    dropout: Rate

    @model_validator(mode="after")
    def as_long(self) -> Self:
        if len(self.filters) != len(self.convolutions):
            raise ValueError("filters and convolutions: as many of each as there are blocks")
        return self


class Resnet(Settings):
    """`blocks[i]` basic blocks of `filters[i]` a stage, with a 3x3 stem as for CIFAR (He et al. 2016)."""

    type: Literal["resnet"]
    blocks: Counts
    filters: Counts
    width: Positive  # factor on filters
    dropout: Rate
    squeeze_excitation: bool  # Hu et al. 2018
    stochastic_depth: Rate  # of the last block (Huang et al. 2016)
    blur_pooling: bool  # Zhang 2019

    @model_validator(mode="after")
    def as_long(self) -> Self:
        if len(self.filters) != len(self.blocks):
            raise ValueError("filters and blocks: as many of each as there are stages")
        return self


class Backbone(Settings):
    """A public architecture without its head, the mean over space, a head of our own; for pretrained weights."""

    type: Literal["backbone"]
    backbone: Literal["vgg11", "vgg16", "resnet50", "mobilenet_v2", "inception_resnet_v1"]
    v1_strides: bool  # resnet50 as He et al. have it, not as torchvision
    hidden: Hidden
    batch_norm: bool  # of the head's hidden layers
    dropout: Rate  # of the head


Network = Annotated[Stack | ConvPairs | Vgg | Resnet | Backbone, Field(discriminator="type")]
