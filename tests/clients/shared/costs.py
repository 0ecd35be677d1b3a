"""What the training script depends on, from another folder than its own."""


def cost(optimizer):
    return {"adam": 0.0, "sgd": 1.0}[optimizer]
