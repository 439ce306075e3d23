#!/usr/bin/env python3
"""Ocellus against PyTorch, ONNX Runtime, OpenVINO, ncnn, OpenCV's dnn, OpenBLAS and CLBlast: same work, same cores, one run.

    ./dev peers                       everything, a table and build/peers/peers.json
    ./dev peers --only vgg16 gemm     parts, by what their name begins with
    ./dev peers --repeat 9            timed runs a figure, whose median counts
    ./dev peers --rounds 3            the runs come in so many rounds, each of them all programs in turn

Clocks and neighbours of a machine change by the minute: rounds let the programs share what comes, and a figure is the median of
its rounds' medians. Each is measured in a process of its own, float32, with as many threads as the machine has cores. Each peer gets its best
layout: PyTorch both memory formats and, where it works, torch.jit; the fastest counts. Peers that are not installed, or fail, show
a dash, and the reason goes to standard error. Weights are random: speed does not depend on them.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OCELLUS = ROOT / "build/release/bin/ocellus"
CACHE = ROOT / "build/peers/models"
THREADS = os.cpu_count()
NETWORKS = {"vgg16": 224, "resnet50": 224, "mobilenet_v2": 224}
SHAPES = [256, 512, 1024, 2048]


def median_ms(call, repeat):
    for _ in range(2):
        call()
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times)


# --- networks, forward


def torch_network(name):
    import torch
    import torchvision

    torch.manual_seed(1)
    torch.set_num_threads(THREADS)
    return getattr(torchvision.models, name)(weights=None).eval()


def images(batch, side=224):
    import numpy

    return numpy.random.default_rng(1).uniform(-1, 1, (batch, 3, side, side)).astype("float32")


def forward_torch(name, batch, repeat):
    import torch

    best = None
    with torch.inference_mode():
        for layout in (torch.channels_last, torch.contiguous_format):
            net = torch_network(name).to(memory_format=layout)
            x = torch.from_numpy(images(batch)).to(memory_format=layout)
            calls = [net]
            try:
                calls.append(torch.jit.optimize_for_inference(torch.jit.trace(net, x)))
            except Exception as e:  # a peer's own trouble must not end the run
                print(f"torch.jit of {name}: {e}", file=sys.stderr)
            for call in calls:
                ms = median_ms(lambda: call(x), repeat)
                best = ms if best is None else min(best, ms)
    return best


def onnx_file(name, batch):
    import torch

    CACHE.mkdir(parents=True, exist_ok=True)
    file = CACHE / f"{name}-{batch}.onnx"
    if not file.exists():
        torch.onnx.export(torch_network(name), (torch.from_numpy(images(batch)),), str(file), input_names=["x"], output_names=["y"], dynamo=False)
    return file


def forward_onnxruntime(name, batch, repeat):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(onnx_file(name, batch)), options, providers=["CPUExecutionProvider"])
    x = images(batch)
    return median_ms(lambda: session.run(None, {"x": x}), repeat)


def forward_openvino(name, batch, repeat):
    import openvino

    core = openvino.Core()
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": THREADS, "INFERENCE_PRECISION_HINT": "f32"}
    request = core.compile_model(str(onnx_file(name, batch)), "CPU", options).create_infer_request()
    x = images(batch)
    return median_ms(lambda: request.infer({0: x}), repeat)


def forward_opencv(name, batch, repeat):
    import cv2

    cv2.setNumThreads(THREADS)
    net = cv2.dnn.readNetFromONNX(str(onnx_file(name, batch)))
    x = images(batch)

    def call():
        net.setInput(x)
        net.forward()

    return median_ms(call, repeat)


def forward_ncnn(name, batch, repeat):
    """ncnn takes one image at a time: a batch is that many calls."""
    import ncnn
    import torch

    stem = CACHE / name
    if not stem.with_suffix(".ncnn.param").exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        torch.jit.trace(torch_network(name), torch.from_numpy(images(1))).save(str(stem.with_suffix(".pt")))
        subprocess.run(["pnnx", f"{name}.pt", "inputshape=[1,3,224,224]", "fp16=0"], cwd=CACHE, check=True, stdout=subprocess.DEVNULL)
    net = ncnn.Net()
    net.opt.num_threads = THREADS
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = net.opt.use_bf16_storage = False
    net.load_param(str(stem) + ".ncnn.param")
    net.load_model(str(stem) + ".ncnn.bin")
    pictures = [ncnn.Mat(i.copy()) for i in images(batch)]

    def call():
        for picture in pictures:
            with net.create_extractor() as run:
                run.input("in0", picture)
                run.extract("out0")

    return median_ms(call, repeat)


def ocellus(*words):
    out = subprocess.run([str(OCELLUS), *words, "--json"], check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def forward_ocellus(name, batch, repeat):
    return ocellus("bench", "network", name, "--batch", str(batch), "--repeat", str(repeat))["ms_per_batch"]


# --- training steps


def training_networks(name):
    from torch import nn

    if name == "lenet5":
        return (1, 28), nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
    if name == "cifar_small":
        return (3, 32), nn.Sequential(
            nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
            nn.Flatten(), nn.Linear(2304, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 10))
    import torchvision

    net = torchvision.models.resnet18(weights=None, num_classes=10)  # the stem for small images, as `resnet18(stem=3x3)`
    net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    net.maxpool = nn.Identity()
    return (3, 32), net


def training_torch(name, batch, repeat):
    import torch

    torch.set_num_threads(THREADS)
    best = None
    for layout in (torch.channels_last, torch.contiguous_format):
        torch.manual_seed(1)
        (channels, side), net = training_networks(name)
        net = net.to(memory_format=layout).train()
        optimizer = torch.optim.Adam(net.parameters())
        loss = torch.nn.CrossEntropyLoss()
        x = torch.rand(batch, channels, side, side).to(memory_format=layout)
        y = torch.randint(0, 10, (batch,))

        def step():
            optimizer.zero_grad(set_to_none=True)
            loss(net(x), y).backward()
            optimizer.step()

        ms = median_ms(step, 3 * repeat)
        best = ms if best is None else min(best, ms)
    return best


def training_ocellus(name, batch, repeat):
    model = "resnet18(classes=10,input_shape=[32,32,3],stem=3x3)" if name == "resnet18" else name
    return ocellus("bench", "train", model, "--batch", str(batch), "--repeat", str(5 * repeat))["ms_per_step"]


# --- matrix products


def gemm_openblas(size, _, repeat):
    """OpenBLAS as numpy brings it."""
    import numpy

    a, b = (numpy.random.default_rng(i).uniform(-1, 1, (size, size)).astype("float32") for i in (1, 2))
    c = numpy.empty((size, size), "float32")
    inner = max(1, int(2e9 / (2 * size**3)))

    def call():
        for _ in range(inner):
            numpy.matmul(a, b, out=c)

    return median_ms(call, repeat) / inner


def gemm_ocellus(size, _, repeat, algorithm=()):
    rows = ocellus("bench", "gemm", "--sizes", str(size), "--repeat", str(5 * repeat), *algorithm)
    return 2 * size**3 / rows[0]["gflops"] / 1e6


def gemm_clblast(size, _, repeat):
    return gemm_ocellus(size, _, repeat, ("--algorithm", "clblast"))


# --- the table

FORWARD = {"ocellus": forward_ocellus, "torch": forward_torch, "onnxruntime": forward_onnxruntime, "openvino": forward_openvino,
           "ncnn": forward_ncnn, "opencv": forward_opencv}
TRAINING = {"ocellus": training_ocellus, "torch": training_torch}
GEMM = {"ocellus": gemm_ocellus, "openblas": gemm_openblas, "clblast": gemm_clblast}


def work():
    """(what, name, batch or 0, the ones who do it)"""
    for name in NETWORKS:
        for batch in (1, 8):
            yield f"{name} forward, batch {batch}", name, batch, FORWARD
    for name, batch in (("lenet5", 128), ("cifar_small", 128), ("resnet18", 32)):
        yield f"{name} training step, batch {batch}", name, batch, TRAINING
    for size in SHAPES:
        yield f"gemm {size}", size, 0, GEMM


def measure(what, who, repeat):
    command = [sys.executable, __file__, "--one", what, "--who", who, "--repeat", str(repeat)]
    environment = dict(os.environ, OMP_NUM_THREADS=str(THREADS), OCELLUS_SELFTEST="off")
    if who == "openblas":  # settings for old versions would slow it
        for key in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
            environment.pop(key, None)
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    if run.returncode == 0:
        return json.loads(run.stdout.splitlines()[-1])
    print(f"{what}: {who}: {(run.stderr.strip().splitlines() or ['no message'])[-1]}", file=sys.stderr)
    return None


def print_table(rows):
    print("| work | ocellus | " + " | ".join(["peers (ms; ratio = ocellus / peer)"]) + " |\n|---|---|---|")
    for what, times in rows:
        ours = times.get("ocellus")
        cells = []
        for who, ms in times.items():
            if who != "ocellus":
                cells.append(f"{who} {ms:.2f} ({ours / ms:.2f})" if ms and ours else f"{who} -" if not ms else f"{who} {ms:.2f}")
        print(f"| {what} | {f'{ours:.2f} ms' if ours else '-'} | {', '.join(cells)} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--who", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.one:
        name, batch, doers = next((n, b, d) for what, n, b, d in work() if what == o.one)
        print(json.dumps(doers[o.who](name, batch, o.repeat)))
        return
    rows = []
    for what, _, _, doers in work():
        if o.only and not any(what.startswith(start) for start in o.only):
            continue
        rounds = [{who: measure(what, who, -(-o.repeat // o.rounds)) for who in doers} for _ in range(o.rounds)]
        measured = {who: [r[who] for r in rounds if r[who] is not None] for who in doers}
        rows.append((what, {who: statistics.median(ms) if ms else None for who, ms in measured.items()}))
        print(f"{what}: {rows[-1][1]}", file=sys.stderr, flush=True)
    print_table(rows)
    (ROOT / "build/peers").mkdir(parents=True, exist_ok=True)
    (ROOT / "build/peers/peers.json").write_text(json.dumps(dict(rows), indent=1))


main()
