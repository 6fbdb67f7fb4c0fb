"""Lets concurrent requests share forward passes of one model.

    request --Batcher--> FairQueue --> decode + prepare --> FairQueue --> forward pass --> answer
             let in?                   a few threads                  a few threads

batcher   admission, deadlines, one flight for what is asked twice    cache  vectors of before
pipeline  the threads                                                 fair    who is next
lines     what waits for passes of its own                            pace    how large a pass pays
job       what goes through it                                        traced  what a trace has
"""

from service.batching.batcher import Batcher, Work
from service.batching.job import BATCH_COST, Encoded, Load, Outcome, Stages

__all__ = ["BATCH_COST", "Batcher", "Encoded", "Load", "Outcome", "Stages", "Work"]
