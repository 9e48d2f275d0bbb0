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


def le(blocks: tuple[tuple[int, int], ...], hidden: tuple[int, ...], dropout: float = 0.25) -> nn.Sequential:
    """Report 001's networks: a (filters, kernel side) for each block of convolution, norm, ReLU, pool, dropout.

    (N, 1, 48, 48) -> (N, 7). Hidden layers have batch normalisation, ReLU and dropout as well.
    """
    layers: list[nn.Module] = []
    inputs = 1
    for filters, side in blocks:
        layers += [
            nn.Conv2d(inputs, filters, side, padding=side // 2, bias=False),  # (N, filters, H, W)
            nn.BatchNorm2d(filters),
            nn.MaxPool2d(2),  # (N, filters, H/2, W/2)
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
        ]
        inputs = filters
    side = IMAGE_SIZE >> len(blocks)
    return initialised(nn.Sequential(*layers, nn.Flatten(), *affine(inputs * side * side, hidden, dropout)))


def affine(inputs: int, hidden: tuple[int, ...], dropout: float) -> list[nn.Module]:
    """Hidden layers with batch normalisation, ReLU and dropout, then seven scores."""
    layers: list[nn.Module] = []
    for units in hidden:
        layers += [nn.Linear(inputs, units), nn.BatchNorm1d(units), nn.ReLU(inplace=True), nn.Dropout(dropout)]
        inputs = units
    return [*layers, nn.Linear(inputs, len(Emotion))]  # (N, 7)


def tuwani(pairs: tuple[int, ...] = (16, 32, 64), hidden: int = 256, dropout: float = 0.25) -> nn.Sequential:
    """Report 002's network: pairs of valid 3x3 convolutions, each with norm and ReLU; after a pair pool and dropout.

    (N, 1, 48, 48) -> (N, 7). Convolutions keep their bias: only so is the size the report's, 140,343 trainable.
    """
    layers: list[nn.Module] = []
    inputs, side = 1, IMAGE_SIZE
    for filters in pairs:
        for _ in range(2):
            layers += [nn.Conv2d(inputs, filters, 3), nn.BatchNorm2d(filters), nn.ReLU(inplace=True)]
            inputs = filters
        layers += [nn.MaxPool2d(2), nn.Dropout(dropout)]  # (N, 16, 22, 22), (N, 32, 9, 9), (N, 64, 2, 2)
        side = (side - 4) // 2
    return initialised(nn.Sequential(*layers, nn.Flatten(), *affine(inputs * side * side, (hidden,), dropout)))


def lausanne(filters: tuple[int, ...], hidden: tuple[int, ...]) -> nn.Sequential:
    """The Lausanne report's networks: 3x3 convolution, ReLU, 2x2 max-pool for each of `filters`, then affine layers.

    (N, 1, 48, 48) -> (N, 7), without batch normalisation or dropout.
    """
    layers: list[nn.Module] = []
    inputs = 1
    for count in filters:
        layers += [nn.Conv2d(inputs, count, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(inplace=True)]
        inputs = count
    side = IMAGE_SIZE >> len(filters)
    layers.append(nn.Flatten())
    inputs *= side * side
    for units in hidden:
        layers += [nn.Linear(inputs, units), nn.ReLU(inplace=True)]
        inputs = units
    return initialised(nn.Sequential(*layers, nn.Linear(inputs, len(Emotion))))  # (N, 7)


def initialised(network: nn.Sequential) -> nn.Sequential:
    """He et al. 2015, equation 10, for every convolution and affine layer; biases zero."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
