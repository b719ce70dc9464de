"""Speeds up the start: AWS's models are read only once.

botocore and moto create a loader whenever they need a model. Each new loader lists the folders of all services and
reads the models again. This module caches the loader.
"""
import functools
import gc

import botocore.session

# Loaded models are never freed; collecting garbage among them would take a fifth of the start.
gc.set_threshold(100_000)
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

from moto.core import utils  # noqa: E402  moto creates its first loaders during this import

utils.create_loader = functools.cache(utils.create_loader)
