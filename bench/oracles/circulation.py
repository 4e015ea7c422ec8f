#!/usr/bin/env python3
"""Checks the circulation solver against other people's: prints lines `FIGURE name value unit target`.

Problems and answers come from the Rust example `circulation` of hive-planner. HiGHS solves each as a
linear program in floating point; OR-Tools' cost-scaling solver solves it in whole numbers. The distance of
our cost from the optimum must be 0 in whole numbers; HiGHS has to agree within its own tolerance. Both
solvers come from PyPI into a virtual environment beside the build; nothing of the project links to them.

Usage: bench/oracles/circulation.py   (from anywhere inside the repository)
"""

import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from environment import ROOT, run_inside

PACKAGES = ["highspy==1.15.1", "ortools==9.14.6206", "numpy"]
# Doubles hold 53 bits of costs that need up to 70, and HiGHS accepts reduced costs of 1e-7.
HIGHS_TOLERANCE = 1e-9


def problems():
    """Yields (nodes, channels, seed, cost, arcs) with arcs as rows of from, to, upper, cost, flow."""
    run = ["cargo", "run", "--release", "--quiet", "-p", "hive-planner", "--example", "circulation"]
    out = subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    lines = iter(out.splitlines())
    for line in lines:
        word, nodes, channels, seed, arcs, cost = line.split()
        assert word == "problem", line
        rows = [tuple(map(int, next(lines).split())) for _ in range(int(arcs))]
        yield int(nodes), int(channels), int(seed), int(cost), rows


def check_fit(nodes, cost, rows) -> None:
    """Our flows keep bounds and balances and cost what was said, in Python's own whole numbers."""
    balance = [0] * nodes
    for source, sink, upper, _, flow in rows:
        assert 0 <= flow <= upper
        balance[source] -= flow
        balance[sink] += flow
    assert not any(balance)
    assert sum(unit * flow for _, _, _, unit, flow in rows) == cost


def by_ortools(nodes, rows):
    from ortools.graph.python import min_cost_flow

    solver = min_cost_flow.SimpleMinCostFlow()
    for source, sink, upper, unit, _ in rows:
        solver.add_arc_with_capacity_and_unit_cost(source, sink, upper, unit)
    begun = time.perf_counter()
    status = solver.solve()
    seconds = time.perf_counter() - begun
    assert status == solver.OPTIMAL, status
    return sum(row[3] * solver.flow(arc) for arc, row in enumerate(rows)), seconds


def by_highs(nodes, rows):
    import highspy
    import numpy as np

    model = highspy.HighsLp()
    count = len(rows)
    model.num_col_, model.num_row_ = count, nodes
    # Amounts in sat and costs in ppm keep the numbers where LP tolerances are meant for.
    model.col_cost_ = np.array([row[3] / 1e3 for row in rows])
    model.col_lower_ = np.zeros(count)
    model.col_upper_ = np.array([row[2] / 1e3 for row in rows])
    model.row_lower_ = model.row_upper_ = np.zeros(nodes)
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = np.arange(0, 2 * count + 1, 2)
    model.a_matrix_.index_ = np.array([end for row in rows for end in row[:2]])
    model.a_matrix_.value_ = np.tile([-1.0, 1.0], count)
    solver = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.passModel(model)
    begun = time.perf_counter()
    solver.run()
    seconds = time.perf_counter() - begun
    assert solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return solver.getInfo().objective_function_value * 1e6, seconds


def main() -> None:
    found = {}
    # OR-Tools brings a HiGHS of its own: each solver gets a process, so that neither loads the other's.
    one_process = lambda: ProcessPoolExecutor(1, get_context("spawn"))
    with one_process() as first, one_process() as second:
        for nodes, channels, seed, cost, rows in problems():
            check_fit(nodes, cost, rows)
            assert cost < 0, "nothing to gain: the problem tests nothing"
            exact, seconds = first.submit(by_ortools, nodes, rows).result()
            linear, linear_seconds = second.submit(by_highs, nodes, rows).result()
            apart = abs(linear - cost) / -cost
            assert apart <= HIGHS_TOLERANCE, (nodes, channels, seed, cost, linear)
            row = (cost - exact, apart, seconds, linear_seconds)
            found.setdefault((nodes, channels), []).append(row)
    worst = 0
    for (nodes, channels), rows in found.items():
        name = f"circulation_{nodes}_{channels}"
        middle = lambda column: sorted(row[column] for row in rows)[len(rows) // 2]
        distance = max(abs(row[0]) for row in rows)
        worst = max(worst, distance)
        print(f"FIGURE {name}_distance_from_optimum {distance} msat-ppb 0")
        print(f"FIGURE {name}_relative_distance_from_highs {max(row[1] for row in rows):.1e} ratio {HIGHS_TOLERANCE}")
        print(f"FIGURE {name}_ortools {middle(2) * 1e3:.3f} ms -")
        print(f"FIGURE {name}_highs {middle(3) * 1e3:.3f} ms -")
    sys.exit(worst != 0)


if __name__ == "__main__":
    run_inside("oracles", PACKAGES)
    main()
