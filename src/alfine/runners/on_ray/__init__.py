"""Training jobs on the nodes of a Ray cluster.

Ray only places. A *slot* is a detached actor with the resources of one instance, on a node; it holds a host, which keeps the training job
alive through its launcher and folder, as on this machine. Actors may die at any moment: a new slot on the same node finds the training job
by its folder.

Ray ends its own process when the cluster's head or the node's raylet stays away. So alfine never imports ray: a child process, the
*bridge*, does. It can be killed and started again at any moment, too.

    runner.py        RayRunner, in alfine's process: answers the engine from what the bridge has told it
    connection.py    the bridge as alfine sees it
    bridge.py        the bridge: its messages
    stream.py        in the bridge: the socket to alfine
    followed.py      in the bridge: one training job from its placing to its end
    pool.py          in the bridge: slots, and the training jobs that wait for one
    finder.py        in the bridge: slots on the machine where a training job was placed
    group.py         in the bridge: a training job with several instances
    cluster.py       in the bridge: slots and placement groups, and what ray's errors mean
    calls.py         in the bridge: calls of ray that block
    slot.py          the actor, on a node
    shapes.py        instance types as resources of a cluster

Source of what Ray does and doesn't do: docs/how-to/run-on-ray.md.
"""
