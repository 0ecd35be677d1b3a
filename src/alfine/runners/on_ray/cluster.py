"""The cluster as the bridge sees it: slots and placement groups, with what ray's errors mean.

Three answers are kept apart: a value, `SlotDied` (Ray is sure of it), and `NoAnswer` (nobody can tell at present: ask again).
"""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import socket
import uuid
from collections.abc import Container, Sequence
from contextlib import suppress
from typing import Any

from alfine._version import __version__
from alfine.runners.on_ray.calls import (
    ANSWER_SECONDS,
    ClusterNode,
    NoAnswer,
    answer,
    aside,
    ended_drivers,
    first_line,
    group_of,
    living_nodes,
    named_actors,
    named_groups,
    remove_group,
    why_died,
    why_not,
)
from alfine.runners.on_ray.messages import ClusterSettings
from alfine.runners.on_ray.shapes import Shape
from alfine.runners.on_ray.slot import THREADS, Slot, SlotFacts, SlotTerms, Vacancy

LOOK_SECONDS = 5.0
"""How long a slot of another bridge may take to say whether it is free."""

CALL_SECONDS = 60.0
"""How long a slot may take for a call that waits for nothing."""

CONNECT_SECONDS = 5.0
"""How long the cluster's port may take to take a connection: Ray itself would try for more than a minute."""

AUTO = "auto"
"""The address with which Ray looks for a cluster of this machine."""

CLIENT = "ray://"
"""The beginning of an address for Ray's client, from a machine outside of the cluster."""

SLOTS = "slot-"
"""The beginning of the names of slots that a pool has made."""

STALE_SECONDS = 1.0
"""How long a look at the cluster's nodes is good for."""


class SlotDied(Exception):
    """Ray is sure that the slot's process has ended."""


class CannotBegin(SlotDied):
    """A slot's process can't begin, and the next one couldn't either: alfine isn't installed on its node, for example."""


class NoCluster(Exception):
    """The cluster can't be used, with a sentence for people that says why."""


def trouble_with(address: str) -> str:
    """Return why nothing can listen at an address; "" where something does. It asks the port, not Ray.

    Args:
        address: The cluster's address, with or without «ray://».
    """
    if address == AUTO:
        return ""
    host, _, port = address.removeprefix(CLIENT).rpartition(":")
    if not host or not port.isdigit():
        return f"{address!r} isn't an address. Give it as «10.0.0.5:6379», «ray://10.0.0.5:10001» or «auto»."
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except OSError as error:
        return f"there is no Ray cluster at {address}: {error.strerror or error}. Start one with `ray start --head`."
    return ""


class Cluster:
    """A connection to the cluster. There is one in a process.

    Args:
        settings: The settings.
    """

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        self._home = _home_of(settings)
        self._me = ""
        self._making: dict[str, asyncio.Future[Any]] = {}
        self._nodes: Sequence[ClusterNode] = ()
        self._looked_at = -STALE_SECONDS

    def connect(self) -> None:
        """Connect to the cluster.

        Raises:
            NoCluster: It isn't there, or has another version of Ray or Python.
        """
        why = trouble_with(self._settings.address)
        if why:
            raise NoCluster(why)
        try:
            import ray
        except ImportError as error:
            raise NoCluster(f"Ray can't be imported here: {error}. Run: pip install 'alfine[ray]'") from error
        try:
            ray.init(
                address=self._settings.address,
                namespace=self._settings.namespace,
                log_to_driver=False,
                configure_logging=False,
            )
        except Exception as error:
            raise NoCluster(why_not(error, self._settings.address, ray.__version__)) from error
        self._me = str(ray.get_runtime_context().get_job_id())

    def close(self) -> None:
        """Let go of the cluster. Slots live on."""
        import ray

        ray.shutdown()

    # -- nodes ---------------------------------------------------------------------------------------------------------

    async def nodes(self) -> Sequence[ClusterNode]:
        """Return the living nodes.

        Raises:
            NoAnswer: The head doesn't answer.
        """
        now = asyncio.get_running_loop().time()
        if now - self._looked_at > STALE_SECONDS:
            self._nodes = await aside(living_nodes)
            self._looked_at = now
        return self._nodes

    # -- slots ---------------------------------------------------------------------------------------------------------

    async def create(
        self, name: str, shape: Shape, *, node: str | None = None, group: Any = None, bundle: int = -1
    ) -> Any:
        """Ask Ray for a slot, or return that of this name. It exists once it answers.

        Args:
            name: Its name.
            shape: Its resources.
            node: Ray's id of the node on which it must be; None: Ray chooses.
            group: The placement group that has its resources; None: it has its own.
            bundle: The number of its bundle in the group.

        Raises:
            NoAnswer: The head doesn't answer.
        """
        return await self._make(name, self._create, name, shape, node, group, bundle)

    async def _make(self, name: str, function: Any, *arguments: Any) -> Any:
        """Have something made by a call of ray, which goes on when nobody waits for it any more: see `_made`."""
        making = self._making[name] = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
        making.add_done_callback(lambda _: self._making.pop(name, None) if self._making.get(name) is making else None)
        return await answer(making)

    async def _made(self, name: str) -> None:
        """Wait until nothing of that name is being made any more, so that it can be removed."""
        if making := self._making.get(name):
            await asyncio.wait({making}, timeout=ANSWER_SECONDS)

    def _create(self, name: str, shape: Shape, node: str | None, group: Any, bundle: int) -> Any:
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy, PlacementGroupSchedulingStrategy

        strategy: Any = "DEFAULT"
        if node is not None:
            strategy = NodeAffinitySchedulingStrategy(node_id=node, soft=False)
        elif group is not None:
            strategy = PlacementGroupSchedulingStrategy(placement_group=group, placement_group_bundle_index=bundle)
        actor = ray.remote(Slot).options(
            name=name,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=THREADS,
            enable_task_events=False,  # Ray's head would keep a record of each call
            num_cpus=shape.cpus,
            num_gpus=shape.gpus,
            memory=shape.memory or None,
            resources=dict(shape.resources) or None,
            scheduling_strategy=strategy,
        )
        settings = self._settings
        return actor.remote(
            SlotTerms(
                folder=settings.folder,
                keep_seconds=settings.keep_seconds,
                shape=shape,
                home=self._home,
                buckets=settings.buckets,
                inputs=settings.inputs,
                limits=settings.limits,
                ended_limits=settings.ended_limits,
                records=settings.records,
            )
        )

    async def find(self, name: str) -> Any:
        """Return the slot of a name.

        Raises:
            SlotDied: There is none.
            NoAnswer: The head doesn't answer.
        """
        import ray

        try:
            return await aside(ray.get_actor, name, self._settings.namespace)
        except ValueError as error:
            raise SlotDied(f"there is no slot {name}") from error

    async def facts(self, actor: Any, seconds: float | None) -> SlotFacts:
        """Wait until a slot is there, and return where.

        Args:
            actor: The slot.
            seconds: How long to wait. None: until Ray has room for it.

        Raises:
            CannotBegin: It can't be made.
            SlotDied: It has ended.
            NoAnswer: It isn't there yet.
        """
        try:
            facts: SlotFacts = await self.call(actor.facts.remote(self._me), seconds)
        except (SlotDied, NoAnswer):
            raise
        except Exception as error:
            raise CannotBegin(first_line(error)) from error
        if facts.alfine != __version__:
            await self.kill(actor)
            raise CannotBegin(
                f"{facts.host} has alfine {facts.alfine}, but here it is {__version__}. Install the same version."
            )
        return facts

    async def call(self, reference: Any, seconds: float | None = CALL_SECONDS) -> Any:
        """Return what a call of a slot returned.

        Args:
            reference: What `actor.method.remote(…)` returned.
            seconds: How long to wait; None: without end.

        Raises:
            SlotDied: The slot's process has ended.
            NoAnswer: There was no answer in time, or the slot can't be reached.
            Exception: What the method raised.
        """
        import ray.exceptions as errors

        try:
            return await asyncio.wait_for(asyncio.wrap_future(reference.future()), seconds)
        except errors.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, Exception) else error) from error
        except errors.ActorUnavailableError as error:
            raise NoAnswer(first_line(error)) from error
        except (errors.RayActorError, errors.ActorUnschedulableError) as error:
            died = CannotBegin if getattr(error, "actor_init_failed", False) else SlotDied
            raise died(why_died(error)) from error
        except (errors.RayError, TimeoutError, ConnectionError) as error:
            raise NoAnswer(first_line(error) or "there was no answer in time") from error

    async def dismiss(self, actor: Any) -> None:
        """End a slot, unless a training job of another server runs in it."""
        with suppress(NoAnswer, SlotDied):  # it ends by itself when nobody calls it
            await self.call(actor.leave.remote(), ANSWER_SECONDS)

    async def kill(self, actor: Any) -> None:
        """End a slot in which nothing has ever run."""
        import ray

        with suppress(NoAnswer, ValueError):  # it ends by itself when nobody calls it
            await aside(ray.kill, actor)

    async def take_back(self, name: str) -> None:
        """Take back the request for a slot that nothing needs any more; one that has begun ends."""
        await self._made(name)
        with suppress(NoAnswer, SlotDied):  # it wasn't asked for yet; or it ends by itself when nobody calls it
            await self.kill(await self.find(name))

    def slot_name(self) -> str:
        """Return a name for a slot that this bridge makes: it ends with the bridge's own."""
        return f"{SLOTS}{uuid.uuid4().hex[:12]}-{self._me}"

    # -- slots of other bridges ----------------------------------------------------------------------------------------

    async def abandoned(self, known: Container[str]) -> Sequence[tuple[str, Any, Vacancy]]:
        """Return the slots without a training job whose bridge has ended: their names and actors, and what they are.

        Args:
            known: The names of slots that aren't looked at.

        Raises:
            NoAnswer: The head doesn't answer.
        """
        ended = await aside(ended_drivers)
        made = [name for name in await aside(named_actors) if name.startswith(SLOTS) and name not in known]
        names = [name for name in made if name.rpartition("-")[2] in ended]
        found = await asyncio.gather(*(self._vacancy(name) for name in names))
        return [each for each in found if each is not None and each[2].owner in ended]

    async def _vacancy(self, name: str) -> tuple[str, Any, Vacancy] | None:
        try:
            actor = await self.find(name)
            vacancy = await self.call(actor.vacancy.remote(), LOOK_SECONDS)
        except (NoAnswer, SlotDied, AttributeError):  # it is busy or ends; or it is of a version that can't tell
            return None
        return None if vacancy is None else (name, actor, vacancy)

    async def take_over(self, actor: Any, vacancy: Vacancy) -> SlotFacts | None:
        """Take a slot over from a bridge that has ended, and return where it is; None where that wasn't to be.

        A slot of another home, whose training jobs lie in another folder, ends.
        """
        with suppress(NoAnswer, SlotDied):  # it ends by itself when nobody calls it
            if not await self.call(actor.take_over.remote(vacancy.owner, self._me), ANSWER_SECONDS):
                return None
            if vacancy.terms.home == self._home:
                return await self.facts(actor, ANSWER_SECONDS)
            await self.dismiss(actor)
        return None

    # -- several instances ---------------------------------------------------------------------------------------------

    async def group(self, name: str, shape: Shape, count: int) -> Any:
        """Ask for a placement group: the resources of `count` instances on as many nodes. The one of this name is found again.

        Raises:
            NoAnswer: The head doesn't answer.
        """
        return await self._make(name, group_of, name, shape, count)

    async def group_is_ready(self, group: Any, seconds: float) -> bool:
        """Wait until a placement group has its resources; return whether it has."""
        try:
            return bool(await asyncio.to_thread(group.wait, seconds))
        except Exception as error:
            raise NoAnswer(first_line(error)) from error

    async def remove_group(self, name: str) -> bool:
        """Give back the resources of a placement group, with the slots in it. Return whether the head has answered."""
        await self._made(name)
        try:
            await aside(remove_group, name)
        except ValueError:  # there is none of that name
            return True
        except NoAnswer:
            return False
        return True

    async def remove_abandoned_groups(self) -> None:
        """Remove the placement groups in which no training job runs, and whose bridge has ended.

        Raises:
            NoAnswer: The head doesn't answer.
        """
        groups = await aside(named_groups)
        ended = await aside(ended_drivers) if groups else frozenset()
        for name, count in groups:
            if name.rpartition("-")[2] in ended and not await self._is_used(name, count, ended):
                await self.remove_group(name)

    async def _is_used(self, group: str, count: int, ended: Container[str]) -> bool:
        """Return whether a training job runs in a slot of a placement group, or a bridge that lives has one."""
        for bundle in range(count):
            try:
                actor = await self.find(f"{group}-{bundle}")
                vacancy = await self.call(actor.vacancy.remote(), LOOK_SECONDS)
            except SlotDied:
                continue
            except (NoAnswer, AttributeError):
                return True
            if vacancy is None or vacancy.owner not in ended:
                return True
        return False

    def group_name(self, training_job: str, attempt: int) -> str:
        """Return the name of the placement group of a training job that this bridge places: it ends with the bridge's own."""
        return f"{training_job}-{attempt}-{self._me}"


def _home_of(settings: ClusterSettings) -> str:
    """Return what identifies the folder, the buckets and the records that training jobs in a slot share, and the version of alfine."""
    shared = (__version__, settings.folder, settings.buckets, settings.records)
    return hashlib.sha256(pickle.dumps(shared)).hexdigest()[:16]
