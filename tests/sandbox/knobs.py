"""What a test can set: how slowly things become ready, how stale reads are, how strict image pulls are.

POST /holdfast/settings merges a JSON object of this form, GET shows it:

    {"pending":   {"natGateway": 0, "natGatewayDelete": 0, "loadBalancer": 0, "service": 0, "serviceDelete": 0},
     "staleness": {"default": 0, "ec2": 3},     # seconds in which reads do not show what is new; by moto's service name
     "imagePull": "lenient"}                    # or "strict": an ECS task needs its ECR image
"""
import copy
import time

DEFAULTS = {
    "pending": {"natGateway": 0, "natGatewayDelete": 0, "loadBalancer": 0, "service": 0, "serviceDelete": 0},
    "staleness": {"default": 0},
    "imagePull": "lenient",
}
settings = copy.deepcopy(DEFAULTS)


def reset():
    settings.clear()
    settings.update(copy.deepcopy(DEFAULTS))


def merge(wanted):
    """Takes over the given knobs; an unknown one is an error, not a silent nothing."""
    for key, value in wanted.items():
        if key not in DEFAULTS or (key == "pending" and set(value) - set(DEFAULTS["pending"])):
            raise ValueError(f"unknown knob: {key} {value}")
        if key == "imagePull" and value not in ("strict", "lenient"):
            raise ValueError(f"imagePull is strict or lenient, not {value}")
        if isinstance(value, dict):
            settings[key].update({k: float(v) for k, v in value.items()})
        else:
            settings[key] = value


def pending(kind, since):
    """True while what began at `since` (time.monotonic) is not yet ready."""
    return time.monotonic() - since < settings["pending"][kind]


def staleness(service):
    return settings["staleness"].get(service, settings["staleness"]["default"])
