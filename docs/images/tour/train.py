"""Train boosted trees on scikit-learn's diabetes data, and print the error on held-out patients after every 20 trees."""

import argparse

from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split

parser = argparse.ArgumentParser()
parser.add_argument("--learning_rate", type=float)
parser.add_argument("--max_depth", type=int)
parser.add_argument("--subsample", type=float)
parser.add_argument("--loss", choices=["squared_error", "huber"])
chosen = vars(parser.parse_args())

x, y = load_diabetes(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.3, random_state=0)
model = GradientBoostingRegressor(**chosen, n_estimators=20, warm_start=True, random_state=0)
for trees in range(20, 201, 20):
    model.set_params(n_estimators=trees).fit(x_train, y_train)
    print(f"{trees} trees: rmse={root_mean_squared_error(y_test, model.predict(x_test)):.3f}", flush=True)
