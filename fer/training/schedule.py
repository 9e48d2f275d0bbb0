"""The learning rate of each step, from the run's config and the step's number alone: to continue needs no state."""

import math

from fer.config.run import RunConfig

# Smith and Topin 2019, with the shares that torch.optim.lr_scheduler.OneCycleLR and fastai have.
FIRST = 1 / 25
LAST = FIRST / 1e4


def lr_at(config: RunConfig, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of `step` (from 0) under the config's schedule, its `lr` being the highest.

    linear, cosine (Loshchilov and Hutter 2017, without restarts) and constant: the rate rises in a line over the
    warm-up (Goyal et al. 2017), so that its last step has the highest, then falls to `final` of it at the last step.
    one_cycle: a cosine up from 1/25 over the warm-up and one down to 1/250,000.
    """
    schedule = config.schedule
    steps = config.epochs * steps_per_epoch
    warm_up = round(min(schedule.warm_up, config.epochs / 2) * steps_per_epoch)
    if schedule.shape == "one_cycle":
        return config.lr * one_cycle(step, warm_up, steps)
    if step < warm_up:
        return config.lr * (step + 1) / warm_up
    done = progress(step, warm_up, steps)
    left = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2}[schedule.shape]
    return config.lr * (left if schedule.shape == "constant" else between(schedule.final, 1.0, left))


def one_cycle(step: int, warm_up: int, steps: int) -> float:
    """Return the share of the highest rate; the peak is the warm-up's last step."""
    peak = max(0, warm_up - 1)
    if step < peak:
        return between(1.0, FIRST, (1 + math.cos(math.pi * step / peak)) / 2)
    return between(LAST, 1.0, (1 + math.cos(math.pi * progress(step, peak, steps))) / 2)


def progress(step: int, first: int, steps: int) -> float:
    """Return how much of the way from step `first` to the last one is done, 0 to 1."""
    return (step - first) / max(1, steps - 1 - first)


def between(low: float, high: float, share: float) -> float:
    return low + (high - low) * share
