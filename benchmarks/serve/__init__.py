"""How fast a served model is beside the model alone, and what disturbs it.

    python -m benchmarks.serve --model kindred-mini --cpus 2,3 --client-cpus 0,1

models   what is served: kindred-mini, or open_clip's ViT-B/32 with random weights
server   a process with a server          raw   a process with the model alone
load     a process with clients           items what they send, good and bad
asking   what answers must be             poison the same of known items, among bad ones
wires    how clients speak                watch  health and memory, every second
echo     a process that only answers       bounds what no server can pass
arrivals when requests of an open loop come, and how long the best of queues would let them wait
peer     a process with Infinity          scenes what is measured, and how it is told
"""
