#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Seconds of video as batches of a model's input.

    tensors.py [--files] [--model MODEL.onnx] [--size WxH] PATH...

Each second of each PATH becomes one float32 tensor (T, 3, H, W) of values from 0 to 1.
What runs it: onnxruntime with --model; without, the mean of each picture, by PyTorch
where it is installed, else by NumPy. The uint8 frames are not copied before.
"""

import argparse
import time

import numpy as np

import shmframe


def make_tensor(window, width, height):
    """(T, H, W, 3) of uint8 to (T, 3, height, width) of float32, nearest pixels."""
    rows = np.arange(height) * window.shape[1] // height
    columns = np.arange(width) * window.shape[2] // width
    small = window[:, rows[:, None], columns]
    return np.multiply(small.transpose(0, 3, 1, 2), np.float32(1 / 255),
                       dtype=np.float32)


def load(model):
    """Return what runs a tensor, and its name."""
    if model:
        import onnxruntime
        session = onnxruntime.InferenceSession(model)
        name = session.get_inputs()[0].name
        return lambda tensor: session.run(None, {name: tensor})[0], "onnxruntime"
    try:
        import torch
    except ImportError:
        return lambda tensor: tensor.mean(axis=(1, 2, 3)), "NumPy"
    return lambda tensor: torch.from_numpy(tensor).mean(dim=(1, 2, 3)).numpy(), "PyTorch"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("paths", nargs="+", metavar="PATH")
    parser.add_argument("--model")
    parser.add_argument("--size", default="64x64")
    parser.add_argument("--files", action="store_true")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    run, name = load(arguments.model)
    for batch in shmframe.batches(*arguments.paths, format="RGB",
                                  live=not arguments.files):
        for k, stream in enumerate(batch):
            if not len(stream):
                continue
            begin = time.monotonic()
            tensor = make_tensor(stream.array, width, height)
            result = run(tensor)
            print(f"second {batch.index}, stream {k}: {tensor.shape} to {result.shape} "
                  f"with {name}, {(time.monotonic() - begin) * 1000:.1f} ms, mean "
                  f"{result.mean():.3f}", flush=True)


if __name__ == "__main__":
    main()
