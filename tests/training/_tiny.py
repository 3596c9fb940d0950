"""Runs that take a fraction of a second."""

from refnum.training import Plan, Regression

TASK = Regression(inputs=16, outputs=4)
PLAN = Plan(steps=40, batch=8, learning_rate=1e-2, warmup=4, clip=1.0, checkpoints=13)
