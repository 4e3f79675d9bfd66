"""What the frame queue has to do, in plain Python without Redis or time: the reference of the stateful test."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from maskwatch.broker.messages import Done, DoneStatus, Offer, OfferStatus, Taken
from maskwatch.types import FrameStatus

__all__ = ["ModelCamera", "QueueModel", "Turn"]


@dataclass
class Turn:
    """A turn in flight: its token, the frame's number (None: the end of the tracks), and what became of it."""

    token: str
    number: int | None
    alone: bool
    expired: bool = False


@dataclass
class ModelCamera:
    """One camera."""

    epoch: str = ""
    waiting: int | None = None
    grown_old: bool = False
    turn: Turn | None = None
    shown: int | None = None
    state: bytes = b""
    finish: bool = False
    retiring: bool = False
    held: bool = True
    orphaned: bool = False
    served: int = 0
    last_number: int = 0
    last_done: str = ""
    died: bool = False
    died_token: str = ""
    suspect: bool = False
    failures: int = 0
    backing_off: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def ready(self) -> bool:
        """Whether a worker may be handed it."""
        return (self.waiting is not None or self.finish) and self.turn is None and not self.backing_off

    def drop_waiting(self, reason: str) -> None:
        if self.waiting is not None:
            self.counts[f"dropped:{reason}"] += 1
            self.waiting, self.grown_old = None, False

    def drop_turn(self, reason: str) -> None:
        if self.turn is None:
            return
        if self.turn.number is not None:
            self.counts[f"dropped:{reason}"] += 1
        elif self.waiting is None:
            self.finish = True
        self.turn = None

    def blame(self) -> None:
        turn = self.turn
        if turn is None:
            return
        self.drop_turn("lease_lost")
        if turn.alone:
            self.failures += 1
            self.backing_off = True
            if self.failures >= 2:
                self.state, self.finish = b"", False
        elif self.died:
            self.suspect = True
        self.died, self.died_token = True, turn.token

    def pardon(self) -> None:
        self.died, self.died_token, self.suspect, self.failures, self.backing_off = False, "", False, 0, False


class QueueModel:
    """All cameras, and the sums of those that are gone."""

    def __init__(self) -> None:
        self.flush()

    def flush(self) -> None:
        self.cameras: dict[str, ModelCamera] = {}
        self.removed: Counter[str] = Counter()
        self.servings = 0

    def hold(self, name: str, epoch: str) -> None:
        self.begin_epoch(self.cameras.setdefault(name, ModelCamera()), epoch)

    def begin_epoch(self, camera: ModelCamera, epoch: str) -> None:
        camera.drop_waiting("stale")
        camera.blame()
        camera.epoch, camera.retiring, camera.held, camera.orphaned = epoch, False, True, False

    def holds(self, name: str, epoch: str) -> bool:
        return name in self.cameras and self.cameras[name].epoch == epoch

    def offer(self, offer: Offer, number: int) -> OfferStatus:
        if not self.holds(offer.camera, offer.epoch):
            return OfferStatus.STALE_EPOCH
        camera = self.cameras[offer.camera]
        if number <= camera.last_number:
            return OfferStatus.DUPLICATE
        camera.counts["captured"] += 1 + sum(offer.dropped.values())
        camera.counts.update({f"dropped:{reason}": by for reason, by in offer.dropped.items()})
        camera.drop_waiting("replaced")
        camera.waiting, camera.last_number, camera.finish, camera.grown_old = number, number, False, False
        return OfferStatus.ACCEPTED

    def prepare_take(self) -> None:
        for name, camera in list(self.cameras.items()):
            if camera.turn is not None and camera.turn.expired:
                camera.blame()
                camera.held = camera.held and camera.failures < 2
                if camera.retiring and not camera.state:
                    self.forget(name)
            if camera.orphaned:
                camera.orphaned, camera.held = False, False
                camera.finish = camera.finish or bool(camera.state)

    def expected_turns(self, n: int) -> list[str]:
        """Return who gets a turn; what has grown too old before that is dropped on the way to them."""
        ranked = sorted((camera.served, name) for name, camera in self.cameras.items() if camera.ready)
        names: list[str] = []
        for _, name in ranked:
            camera = self.cameras[name]
            if len(names) == n:
                break
            if camera.suspect and names:
                continue
            if camera.grown_old:
                camera.drop_waiting("stale")
            if not camera.ready:
                continue
            names.append(name)
            if camera.suspect:
                break
        return names

    def take(self, taken: Taken) -> Turn:
        camera = self.cameras[taken.camera]
        self.servings += 1
        camera.turn = Turn(taken.token, camera.waiting, camera.suspect)
        if camera.waiting is None:
            camera.finish = False
        camera.waiting, camera.served, camera.grown_old = None, self.servings, False
        return camera.turn

    def done(self, item: Done) -> DoneStatus:
        camera = self.cameras.get(item.camera)
        if camera is None:
            return DoneStatus.STALE_EPOCH
        if camera.last_done == item.token:
            return DoneStatus.REPEATED
        if camera.died_token == item.token:
            camera.pardon()
        if camera.epoch != item.epoch:
            return DoneStatus.STALE_EPOCH
        if camera.turn is None or camera.turn.token != item.token:
            return DoneStatus.LEASE_LOST
        camera.counts.update(f"people:{verdict}" for verdict in item.result.closed)
        if camera.retiring and camera.turn.number is None:
            self.forget(item.camera)
            return DoneStatus.ACCEPTED
        if camera.turn.number is not None:
            fine = item.result.status is FrameStatus.OK
            camera.counts["analysed" if fine else "dropped:decode_error"] += 1
            if fine:
                camera.shown = camera.turn.number
        camera.turn, camera.last_done, camera.state = None, item.token, item.state
        if camera.suspect or camera.failures:
            camera.pardon()
        return DoneStatus.ACCEPTED

    def renew(self, name: str, token: str) -> bool:
        camera = self.cameras.get(name)
        if camera is None:
            return False
        if camera.died_token == token:
            camera.pardon()
        if camera.turn is None or camera.turn.token != token:
            return False
        camera.turn.expired = False
        return True

    def retire(self, name: str, new_epoch: str) -> None:
        camera = self.cameras.get(name)
        if camera is None or camera.retiring:
            return
        camera.drop_waiting("removed")
        camera.drop_turn("removed")
        if not camera.state:
            self.forget(name)
            return
        camera.epoch, camera.retiring, camera.finish = new_epoch, True, True
        camera.held, camera.orphaned = False, False

    def forget(self, name: str) -> None:
        camera = self.cameras.pop(name)
        camera.drop_waiting("removed")
        self.removed.update(camera.counts)
