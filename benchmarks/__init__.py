"""The speed claim, measured: every workload against every peer that can run it, at equal precision.

Run it as ``python -m benchmarks``. One idea a file: `data` draws, `workloads` names what is solved, `contenders` and `peers`
adapt one library a class, `mathematics` computes objectives without asking anybody, `measure` takes the times, `report`,
`plots` and `progress` show them; `costs` holds the package's model of costs to the clock.
"""
