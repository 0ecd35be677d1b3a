#!/bin/sh
# Fits a parabola to ten points by gradient descent, in awk, and prints the loss every 5 steps.
#
# alfine gives the hyperparameters as arguments, and finds loss=… in what the script prints.
while [ $# -gt 1 ]; do
  case $1 in
    --rate) rate=$2 ;;
    --momentum) momentum=$2 ;;
  esac
  shift 2
done

exec awk -v rate="$rate" -v momentum="$momentum" 'BEGIN {
  for (i = 0; i < 10; i++) { x[i] = i / 5 - 1; y[i] = 2 - x[i] + 3 * x[i] * x[i] }
  for (step = 1; step <= 50; step++) {
    loss = da = db = dc = 0
    for (i = 0; i < 10; i++) {
      error = a + b * x[i] + c * x[i] * x[i] - y[i]
      loss += error * error / 10; da += error / 5; db += error * x[i] / 5; dc += error * x[i] * x[i] / 5
    }
    va = momentum * va - rate * da; vb = momentum * vb - rate * db; vc = momentum * vc - rate * dc
    a += va; b += vb; c += vc
    if (step % 5 == 0) printf "loss=%.9g\n", loss
  }
}'
