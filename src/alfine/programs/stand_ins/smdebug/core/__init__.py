"""The parts that scripts import by their own names."""
