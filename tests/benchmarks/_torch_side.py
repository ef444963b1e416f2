"""The torch side of `training.py`: a hand-written eager loop with fused Adam, told over a pipe when to train.

Run by the Python of FDL_ZOO_TORCH_PYTHON with a case's name and its steps; answers each line with a line when two
epochs are done. It keeps no metrics beside the loss, which is to its advantage.
"""

import itertools
import sys

import torch
from torch import nn

BATCH = 100


class Last(nn.Module):
    """The last output of a recurrent layer [batch, units]."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer's outputs [batch, time, units], of which the last."""
        return self.layer(x)[0][:, -1]


def dense(*units: int) -> nn.Module:
    """ReLU layers and a linear one."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(units):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(units[-1], 10))


def convnet() -> nn.Module:
    """The book's convolutional network."""
    body = [nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2)]
    body += [nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    return nn.Sequential(*body, nn.Linear(64 * 49, 1024), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1024, 10))


CASES = {
    "softmax regression 64-10": (lambda: dense(64), (64,), "sgd"),
    "softmax regression 784-10": (lambda: dense(784), (784,), "sgd"),
    "MLP 784-256-256-10": (lambda: dense(784, 256, 256), (784,), "adam"),
    "convnet 28x28": (convnet, (1, 28, 28), "adam"),
    "lstm, 100 steps": (
        lambda: nn.Sequential(Last(nn.LSTM(2, 64, batch_first=True)), nn.Linear(64, 10)),
        (100, 2),
        "adam",
    ),
    "rnn, 100 steps": (
        lambda: nn.Sequential(Last(nn.RNN(2, 64, batch_first=True)), nn.Linear(64, 10)),
        (100, 2),
        "adam",
    ),
}


def main() -> None:
    """Train two epochs for each line that is read."""
    make, shape, kind = CASES[sys.argv[1]]
    steps = int(sys.argv[2])
    torch.manual_seed(0)
    model, loss = make(), nn.CrossEntropyLoss()
    optimizer = (
        torch.optim.SGD(model.parameters(), 0.01) if kind == "sgd" else torch.optim.Adam(model.parameters(), fused=True)
    )
    x, y = torch.randn(steps * BATCH, *shape), torch.randint(0, 10, (steps * BATCH,))
    for _ in sys.stdin:
        for _ in range(2):
            for rows in torch.randperm(len(x)).split(BATCH):
                optimizer.zero_grad(set_to_none=True)
                loss(model(x[rows]), y[rows]).backward()
                optimizer.step()
        print("done", flush=True)


if __name__ == "__main__":
    main()
