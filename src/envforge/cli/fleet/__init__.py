"""`envforge fleet ...`: what the other commands do on one machine, on every node of a fleet.

Each command asks the nodes (`asking`, over a pool of `pools`) for the very command of one machine, and tells what came
of it as one shape (`shapes`), whatever the step: `report.fleet` makes pages of that shape.
"""
