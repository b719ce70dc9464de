"""SQS: queue attributes, and the time after a deletion during which a queue's name cannot be used."""
import time

import knobs
from moto.sqs.exceptions import SQSException
from moto.sqs.models import Queue, SQSBackend

from mends import mend

# The seconds after a deletion for which the queue's name is refused: 60 in AWS. With 0 tests need not wait.
knobs.DEFAULTS["pending"]["queueName"] = 0
knobs.reset()

Queue.sqs_managed_sse_enabled, Queue.redrive_allow_policy = "true", None


@mend(Queue)
def _set_attributes(moto, self, attributes, now=None):
    """SetQueueAttributes changes only what it is given. Either SSE-KMS or SSE-SQS is enabled, not both."""
    policy = attributes["Policy"] if "Policy" in attributes else getattr(self, "policy", None)
    moto(attributes, now)
    self.policy = policy or None
    if attributes.get("KmsMasterKeyId"):
        self.sqs_managed_sse_enabled = "false"
    elif str(attributes.get("SqsManagedSseEnabled")).lower() == "true":
        self.kms_master_key_id = None


@mend(SQSBackend)
def create_queue(moto, self, name, tags=None, **kwargs):
    """CreateQueue: "if you delete a queue, you must wait at least 60 seconds before creating a queue with the same
    name".

    An existing queue keeps its tags. A message has up to 1 MiB by default.
    """
    since = self.__dict__.get("deleted", {}).get(name)
    if since is not None and knobs.pending("queueName", since):
        raise SQSException("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
    exists = name in self.queues
    queue = moto(name, None if exists else tags, **kwargs)
    if not exists and "MaximumMessageSize" not in kwargs:
        queue.maximum_message_size = 1048576
    return queue


@mend(SQSBackend)
def delete_queue(moto, self, queue_name):
    moto(queue_name)
    self.__dict__.setdefault("deleted", {})[queue_name] = time.monotonic()


@mend(SQSBackend)
def get_queue_attributes(moto, self, queue_name, attribute_names):
    """GetQueueAttributes always returns SqsManagedSseEnabled, and RedriveAllowPolicy only if it is set."""
    more = {"SqsManagedSseEnabled", "RedriveAllowPolicy"}
    queue, plain = self.get_queue(queue_name), [name for name in attribute_names or [] if name not in more]
    answer = dict(moto(queue_name, plain)) if plain else {}
    asked = more if "All" in plain else more & set(attribute_names or [])
    if "SqsManagedSseEnabled" in asked:
        answer["SqsManagedSseEnabled"] = str(queue.sqs_managed_sse_enabled).lower()
    if "RedriveAllowPolicy" in asked and queue.redrive_allow_policy:
        answer["RedriveAllowPolicy"] = queue.redrive_allow_policy
    return answer
