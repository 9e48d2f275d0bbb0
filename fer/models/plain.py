"""Plain convolutional networks: layers one after another."""

from torch import nn

from fer.emotions import IMAGE_SIZE, Emotion


def block(inputs: int, filters: int) -> list[nn.Module]:
    """3x3 convolution, batch normalisation, ReLU, 2x2 max-pool.

    Batch normalisation takes the convolution's bias away again, so it has none. The pool stands before the ReLU:
    both are monotone, the function is the same, and the ReLU has a quarter of the work.
    """
    return [
        nn.Conv2d(inputs, filters, 3, padding=1, bias=False),  # (N, filters, H, W)
        nn.BatchNorm2d(filters),
        nn.MaxPool2d(2),  # (N, filters, H/2, W/2)
        nn.ReLU(inplace=True),
    ]


def cs231n(filters: tuple[int, ...] = (32, 64, 96, 128), hidden: int = 200) -> nn.Sequential:
    """Report 000's network: a block for each number of filters, a hidden layer, seven scores.

    (N, 1, 48, 48) -> (N, 7). He initialisation for what a ReLU follows, as the report's course teaches.
    """
    blocks = [layer for pair in zip((1, *filters), filters, strict=False) for layer in block(*pair)]
    side = IMAGE_SIZE >> len(filters)
    return initialised(
        nn.Sequential(
            *blocks,  # (N, 128, 3, 3)
            nn.Flatten(),  # (N, 1152)
            nn.Linear(filters[-1] * side * side, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, len(Emotion)),  # (N, 7)
        )
    )


def cs231n_baseline(filters: int = 32, hidden: int = 200) -> nn.Sequential:
    """Report 000's baseline: 5x5 convolution, ReLU, 2x2 max-pool, affine, ReLU, affine. (N, 1, 48, 48) -> (N, 7)."""
    side = IMAGE_SIZE // 2
    return initialised(
        nn.Sequential(
            nn.Conv2d(1, filters, 5, padding=2),  # (N, 32, 48, 48)
            nn.MaxPool2d(2),  # (N, 32, 24, 24)
            nn.ReLU(inplace=True),
            nn.Flatten(),  # (N, 18432)
            nn.Linear(filters * side * side, hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, len(Emotion)),  # (N, 7)
        )
    )


def initialised(network: nn.Sequential) -> nn.Sequential:
    """He et al. 2015, equation 10, for every convolution and affine layer; biases zero."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
