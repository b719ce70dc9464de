"""A quick start: AWS's models are read once. botocore and moto make a loader whenever they want a model, and each new
one looks through the folders of all services, and reads again."""
import functools
import gc

import botocore.session

gc.set_threshold(100_000)  # what is loaded stays; looking through it for garbage would take a fifth of the start
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

from moto.core import utils  # noqa: E402  moto makes its first loaders as it is imported

utils.create_loader = functools.cache(utils.create_loader)
