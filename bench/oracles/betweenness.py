#!/usr/bin/env python3
"""Measures betweenness beside NetworKit: prints lines `FIGURE name value unit target`.

The Rust example `betweenness` of hive-planner gives a simple digraph of the public network with whole, positive
weights, then times our search on request. NetworKit (from PyPI, in an environment of its own) gets the same
digraph and as many threads. The two take turns in one run, so that whatever else the machine does meets both.
If any value differs by more than 1e-9 of itself, the figures do not count and the script fails.

Usage: bench/oracles/betweenness.py [THREADS]   (2 unless told; from anywhere inside the repository)
"""

import statistics
import subprocess
import sys
import time

from environment import ROOT, run_inside

ROUNDS = 5
TOLERANCE = 1e-9


class Ours:
    """The Rust example, which answers one line for each request."""

    def __init__(self, threads: int) -> None:
        run = ["cargo", "run", "--release", "--quiet", "-p", "hive-planner", "--example", "betweenness", str(threads)]
        self.child = subprocess.Popen(run, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request: str) -> list[str]:
        self.child.stdin.write(request + "\n")
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            sys.exit("the example gave no answer; is a graph there (see hive-planner/tests/common/mod.rs)?")
        return line.split()


def theirs(networkit, numpy, nodes: int, arcs: list[str]):
    table = numpy.array(arcs, dtype=numpy.int64).reshape(-1, 3)
    weights = table[:, 2].astype(float)
    assert (weights.astype(numpy.int64) == table[:, 2]).all() and weights.sum() < 2**53, "doubles must hold sums"
    coordinates = (weights, (table[:, 0], table[:, 1]))
    return networkit.GraphFromCoo(coordinates, n=nodes, weighted=True, directed=True)


def difference(ours: list[float], other: list[float]) -> float:
    """The largest difference as a part of the larger value; infinite where only one is zero."""
    assert len(ours) == len(other)
    pairs = [(a, b) for a, b in zip(ours, other) if a != b]
    return max((abs(a - b) / max(abs(a), abs(b)) for a, b in pairs), default=0.0)


def figure(name: str, value: str, unit: str, target: str = "-") -> None:
    print(f"FIGURE planner_betweenness_{name} {value} {unit} {target}", flush=True)


def main() -> None:
    run_inside("networkit", ["networkit==11.3", "numpy", "scipy"])
    import networkit
    import numpy

    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    networkit.setNumberOfThreads(threads)
    ours = Ours(threads)
    nodes = int(ours.ask("nodes")[0])
    graph = theirs(networkit, numpy, nodes, ours.ask("arcs"))
    times = []
    for _ in range(ROUNDS):
        mine = float(ours.ask("run")[0])
        start = time.perf_counter()
        search = networkit.centrality.Betweenness(graph, normalized=False)
        search.run()
        times.append((mine, time.perf_counter() - start))
    values = [float(value) for value in ours.ask("values")]
    apart = difference(values, search.scores())
    mine, other = (statistics.median(column) for column in zip(*times))
    figure("arcs", str(graph.numberOfEdges()), f"arcs_of_{nodes}_nodes")
    figure("seconds", f"{mine:.2f}", f"s_on_{threads}_threads")
    figure("networkit_seconds", f"{other:.2f}", f"s_on_{threads}_threads")
    ratio = statistics.median(theirs / ours for ours, theirs in times)
    figure("speed_to_networkit", f"{ratio:.2f}", "times", ">=1.0")
    figure("largest_difference", f"{apart:.1e}", "of_the_value", "<=1e-9")
    if apart > TOLERANCE:
        sys.exit("the values differ: the figures do not count")


if __name__ == "__main__":
    main()
