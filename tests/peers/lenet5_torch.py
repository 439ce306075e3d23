#!/usr/bin/env python3
"""Images per second of PyTorch training LeNet-5 on 28x28x1, batch 128: the peer of `ocellus bench train lenet5`.

Uses Debian's python3-torch or any newer one. Same network, optimizer and batch as ours; both memory layouts are tried, the best
counts. Data are random and already in memory: loading is not measured.
"""
import argparse
import json
import statistics
import time

import torch
from torch import nn


def lenet5():
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))


def measure(layout, batch, seconds):
    torch.manual_seed(1)
    net = lenet5().to(memory_format=layout)
    optimizer = torch.optim.Adam(net.parameters())
    loss = nn.CrossEntropyLoss()
    images = torch.rand(batch, 1, 28, 28).to(memory_format=layout)
    labels = torch.randint(0, 10, (batch,))
    rates = []
    end = time.time() + seconds
    while time.time() < end or len(rates) < 9:
        begin = time.time()
        for _ in range(20):
            optimizer.zero_grad(set_to_none=True)
            loss(net(images), labels).backward()
            optimizer.step()
        rates.append(20 * batch / (time.time() - begin))
    return statistics.median(rates[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    rates = {str(l): measure(l, args.batch, args.seconds) for l in (torch.contiguous_format, torch.channels_last)}
    print(json.dumps({"images_per_second": max(rates.values()), "by_layout": rates, "torch": torch.__version__}))


if __name__ == "__main__":
    main()
