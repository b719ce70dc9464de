"""The settings that a test can change: the duration of pending states, the staleness of reads, and image pulls.

POST /holdfast/settings merges a JSON object of this form into the settings. GET /holdfast/settings returns them. The
numbers are seconds.

    {"pending":   {"natGateway": 0, "natGatewayDelete": 0, "loadBalancer": 0, "service": 0, "serviceDelete": 0},
     "staleness": {"default": 0, "ec2": 3},     # how long reads omit new resources, by moto's service name
     "imagePull": "lenient"}                    # "strict": an ECS task needs its image to exist in ECR

Modules of mends/ add further names to "pending".
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


def merge(changes):
    """Merges the given settings. An unknown setting raises ValueError; it is never ignored silently."""
    for key, value in changes.items():
        if key not in DEFAULTS or (key == "pending" and set(value) - set(DEFAULTS["pending"])):
            raise ValueError(f"unknown setting: {key} {value}; see knobs.py for the settings that exist")
        if key == "imagePull" and value not in ("strict", "lenient"):
            raise ValueError(f"imagePull must be strict or lenient, not {value}")
        if isinstance(value, dict):
            settings[key].update({k: float(v) for k, v in value.items()})
        else:
            settings[key] = value


def pending(kind, since):
    """True while the transition that began at `since` (time.monotonic) has not completed."""
    return time.monotonic() - since < settings["pending"][kind]


def staleness(service):
    return settings["staleness"].get(service, settings["staleness"]["default"])
