"""The process that speaks with one receiver: it may hang in a name's look-up, or in a library, and be killed for it.

`python -m workers.notify.child` reads the receiver as one line of JSON, answers a line when it is ready, and then a
line for each line with a message.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import IO, Any

from maskwatch.errors import MaskwatchError
from maskwatch.service import die_with_parent
from workers.notify.message import Message
from workers.notify.outcome import Outcome, Result, Way, failed

__all__ = ["main", "open_way"]


def open_way(receiver: Mapping[str, Any]) -> Way:
    """Return the way to a receiver.

    Args:
        receiver: `apprise`, or `webhook` and `secret`, or `mqtt` and `topic`.

    Raises:
        ConfigError: if its address can't be used.
    """
    if "webhook" in receiver:
        from workers.notify.webhook import Webhook

        return Webhook(receiver["webhook"], receiver["secret"])
    if "mqtt" in receiver:
        from workers.notify.mqtt import Mqtt

        return Mqtt(receiver["mqtt"], receiver["topic"])
    from workers.notify.service import Service

    return Service(receiver["apprise"])


def main() -> None:
    """Answer until the pipe is closed."""
    die_with_parent()
    # Libraries may print; nothing but answers may get into the pipe.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        way = open_way(json.loads(sys.stdin.buffer.readline()))
    except MaskwatchError as error:
        _answer(answers, failed(str(error)))
        return
    _answer(answers, Outcome(Result.SENT, "ready"))
    for line in sys.stdin.buffer:
        try:
            outcome = way.send(Message.unpack(line))
        except Exception as error:  # noqa: BLE001  # a hundred services by others: any of them may fail in its own way
            outcome = failed(type(error).__name__, error)
        _answer(answers, outcome)
    way.close()


def _answer(answers: IO[bytes], outcome: Outcome) -> None:
    answers.write(json.dumps({"result": outcome.result.value, "text": outcome.text}).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()
