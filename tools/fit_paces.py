#!/usr/bin/env python3
"""Fits what tasks and tiles take to what config_times measured.

    python3 tools/fit_paces.py docs/data/2026-11-24_h100_config_times.txt

For each head_dim and tile of forward_tma_wgmma, of its blocks with one task each: the microseconds
of a task and of each of its tiles (the paces of kernels/forward_tma_wgmma/defaults.cpp), and by how
much the estimate of pace.cpp then misses the times, as a root mean square.
"""

import argparse
import collections
import heapq
import math

MULTIPROCESSORS = 132
LAUNCH_US = 1.0
MERGE_US = 0.25  # each time that a task's blocks are doubled


def fields(text):
    return dict(field.split("=") for field in text.split(","))


def read(path):
    """Yields (kernel, head_dim, tiles of each block in the order of tasks, blocks per task, us)."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            mask, shape, family, config, *time = line.split()
            if family != "forward_tma_wgmma" or len(time) != 1:
                continue
            shape, config = fields(shape), {k: int(v) for k, v in fields(config).items()}
            if config["persistent"] and config["kv_splits"] == 1:
                continue
            seq, heads = int(shape["s"]), int(shape["b"]) * int(shape["h"])
            rows = 64 * config["consumers"]
            tiles = []
            for last in range(-(-seq // rows) * rows, 0, -rows):
                keys = min(last, seq) if mask == "causal_top_left" else seq
                longest = -(-keys // config["block_kv"] // config["kv_splits"])
                tiles += [longest] * heads
            kernel = (int(shape["d"]), config["consumers"], config["block_kv"])
            yield kernel, tiles, config["kv_splits"], float(time[0])


def estimate(tiles, splits, task, tile):
    usable = MULTIPROCESSORS - (MULTIPROCESSORS // 16 if splits > 2 else 0)
    free = [0.0] * (usable // splits)
    task += MERGE_US * math.log2(splits)
    for count in tiles:
        heapq.heapreplace(free, free[0] + task + tile * count)
    return LAUNCH_US + max(free)


def miss(measured, task, tile):
    squares = [(estimate(tiles, splits, task, tile) / us - 1) ** 2 for tiles, splits, us in measured]
    return math.sqrt(sum(squares) / len(squares))


def fit(measured):
    """Steps downhill in both until the steps are smaller than what is worth writing down."""
    paces, steps = [3.0, 1.0], [1.0, 0.2]
    best = miss(measured, *paces)
    while steps[0] > 0.04:
        before = best
        for i in (0, 1):
            for step in (steps[i], -steps[i]):
                tried = list(paces)
                tried[i] = max(tried[i] + step, 0)
                if (error := miss(measured, *tried)) < best:
                    paces, best = tried, error
        if best == before:
            steps = [step / 2 for step in steps]
    return paces, best


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("file", help="what build/bin/config_times wrote")
    kernels = collections.defaultdict(list)
    for kernel, *measured in read(parser.parse_args().file):
        kernels[kernel].append(measured)
    print("head_dim consumers block_kv  times  task us  tile us  missed by")
    for (head_dim, consumers, block_kv), measured in sorted(kernels.items()):
        few = [m for m in measured if len(m[0]) * m[1] <= 4 * MULTIPROCESSORS]
        if not few:
            continue  # the estimate is for a few rounds of blocks
        (task, tile), error = fit(few)
        print(f"{head_dim:8} {consumers:9} {block_kv:8} {len(few):6} {task:8.2f} {tile:8.3f} {error:9.1%}")


if __name__ == "__main__":
    main()
