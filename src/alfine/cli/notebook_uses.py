"""Uses of the cells of a notebook, read from their Python without running it: operations, images, modules, buckets, shell commands.

What is found is what the text says. A client in a variable is followed through the whole notebook, a value that is computed isn't.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

from alfine.cli.notebook_cells import Cell

Kind = Literal["operation", "image", "module", "bucket", "command", "unreadable"]

PLACEHOLDER = "REGION"
"""Stands for what an f-string or `format` puts in: most often the region."""

CLASSES: Mapping[str, str] = {
    **dict.fromkeys(("Estimator", "ModelTrainer", "SKLearn", "XGBoost", "PyTorch", "TensorFlow"), "CreateTrainingJob"),
    **dict.fromkeys(("MXNet", "Chainer", "HuggingFace", "RLEstimator", "KMeans", "KNN"), "CreateTrainingJob"),
    **dict.fromkeys(("LinearLearner", "Framework"), "CreateTrainingJob"),
    "HyperparameterTuner": "CreateHyperParameterTuningJob",
    "HyperparameterTuningJobAnalytics": "DescribeHyperParameterTuningJob",
    **dict.fromkeys(("Processor", "ScriptProcessor", "SKLearnProcessor", "PySparkProcessor"), "CreateProcessingJob"),
    **dict.fromkeys(("FrameworkProcessor", "PyTorchProcessor", "SageMakerClarifyProcessor"), "CreateProcessingJob"),
    **dict.fromkeys(("AutoML", "AutoMLV2"), "CreateAutoMLJob"),
    "FeatureGroup": "CreateFeatureGroup",
    "Transformer": "CreateTransformJob",
    **dict.fromkeys(("JumpStartEstimator", "JumpStartModel"), "DescribeHubContent"),
    **dict.fromkeys(("Predictor", "RealTimePredictor"), "DescribeEndpoint"),
    **dict.fromkeys(("ModelMonitor", "DefaultModelMonitor", "ModelQualityMonitor"), "CreateMonitoringSchedule"),
    **dict.fromkeys(("Pipeline", "TuningStep", "TrainingStep", "ProcessingStep"), "CreatePipeline"),
    **dict.fromkeys(("Run", "Experiment", "Trial", "Tracker"), "CreateTrial"),
}
"""Classes of the SageMaker SDKs, with the operation that each leads to."""

ALGORITHMS = {
    "PCA": "pca",
    "LDA": "lda",
    "NTM": "ntm",
    "FactorizationMachines": "factorization-machines",
    "RandomCutForest": "randomcutforest",
    "Object2Vec": "object2vec",
    "IPInsights": "ipinsights",
    "KMeans": "kmeans",
    "KNN": "knn",
    "LinearLearner": "linear-learner",
}
"""Classes of SDK 2 for AWS's algorithms, with the repositories of their images."""

METHODS = {
    "deploy": "CreateEndpoint",
    "transformer": "CreateTransformJob",
    "delete_endpoint": "DeleteEndpoint",
    "compile_model": "CreateCompilationJob",
    "get_execution_role": "GetCallerIdentity",
    "default_bucket": "GetCallerIdentity",
}
"""Methods of the SDKs' objects, with the operation that each leads to."""

IMAGE = re.compile(r"[\w{}.-]*\.dkr\.ecr[\w{}.-]*/[\w{}/.:@-]+")
BUCKET = re.compile(r"s3[an]?://([\w{}.-]+)(/[^\s'\"]*)?")
PUBLIC = re.compile(r"^(?:sagemaker-(?:sample-(?:files|data)|example-files-prod)|jumpstart-cache-prod)[\w{}-]*$")
"""Names of AWS's public buckets, as texts of their own."""

STRANGERS = ("docker", "sm-docker", "wget", "curl")
"""Commands whose requests go elsewhere."""


@dataclass(frozen=True, slots=True)
class Use:
    """Something that a cell uses.

    Attributes:
        kind: What it is.
        name: An operation as «sagemaker:CreateModel», an image, a module, a bucket (with a key), a command.
        line: Its line in the cell, from 1.
        by: How the cell says it, where that differs.
    """

    kind: Kind
    name: str
    line: int
    by: str = ""


@dataclass(slots=True)
class UseReader:
    """Reads the cells of one notebook in their order.

    Attributes:
        services: The variables that hold clients, with botocore's names of the services.
        from_sdk: The names that were imported from the SageMaker SDK.
    """

    services: dict[str, str] = field(default_factory=dict)
    from_sdk: set[str] = field(default_factory=set)

    def uses(self, cell: Cell) -> list[Use]:
        """Return what a cell uses, each once, in the order of its lines."""
        found = [Use("unreadable", cell.trouble, 1)] if cell.trouble else []
        if cell.tree is not None and cell.script:
            found += _modules(cell.tree)
        elif cell.tree is not None:
            found += self._of_python(cell.tree)
        for line, text in cell.shell:
            found += _of_shell(line, text)
        by_name = {(use.kind, use.name): use for use in sorted(found, key=lambda use: -use.line)}
        return sorted(by_name.values(), key=lambda use: use.line)

    def _of_python(self, tree: ast.Module) -> Iterator[Use]:
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in sorted(
            ast.walk(tree), key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0))
        ):
            match node:
                case ast.Import(names=names):
                    self.from_sdk |= {_bound(alias) for alias in names if alias.name.partition(".")[0] == "sagemaker"}
                case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] == "sagemaker":
                    self.from_sdk |= {alias.asname or alias.name for alias in names}
                case ast.Assign(targets=targets, value=value):
                    for target in targets:
                        self._assign(target, value)
            if isinstance(node, ast.Call):
                yield from self._of_call(node)
            if id(node) not in inside:  # the parts of an f-string mean nothing by themselves
                yield from _of_text(node)

    def _assign(self, target: ast.expr, value: ast.expr) -> None:
        """Note which variables hold clients, also in `sm, s3 = boto3.client("sagemaker"), boto3.client("s3")`."""
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for part, each in zip(target.elts, value.elts, strict=True):
                self._assign(part, each)
        elif service := _service(value):
            self.services[ast.unparse(target)] = service

    def _of_call(self, call: ast.Call) -> Iterator[Use]:
        name = ast.unparse(call.func)
        owner, _, method = name.rpartition(".")
        service = self.services.get(owner) or (
            _service(call.func.value) if isinstance(call.func, ast.Attribute) else ""
        )
        if service:
            yield from _of_client(service, method, call)
            return
        if _service(call):
            yield Use("operation", f"{_service(call)}:", call.lineno, name)
            return
        known = owner.partition(".")[0] in self.from_sdk if owner else name in self.from_sdk
        if known and method in CLASSES:
            yield Use("operation", f"sagemaker:{CLASSES[method]}", call.lineno, method)
        if known and method in ALGORITHMS:
            yield Use(
                "image", f"REGISTRY.dkr.ecr.{PLACEHOLDER}.amazonaws.com/{ALGORITHMS[method]}:1", call.lineno, method
            )
        if method in METHODS and self.from_sdk:
            service = "sts" if METHODS[method] == "GetCallerIdentity" else "sagemaker"
            yield Use("operation", f"{service}:{METHODS[method]}", call.lineno, f"{method}()")
        if method in ("retrieve", "get_image_uri"):
            yield from _retrieved(call, position=1 if method == "get_image_uri" else 0)


def _bound(alias: ast.alias) -> str:
    return alias.asname or alias.name.partition(".")[0]


def _service(node: ast.AST) -> str:
    """Return the service of a call that makes a client, such as boto3.client("sagemaker"); "" for anything else."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
        return ""
    made_by = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
    given = (
        node.args[0] if node.args else next((word.value for word in node.keywords if word.arg == "service_name"), None)
    )
    text = given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""
    return text if made_by in ("client", "resource") else ""


def _of_client(service: str, method: str, call: ast.Call) -> Iterator[Use]:
    first = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    if method == "get_paginator" and isinstance(first, str):
        method = first
    elif method in ("get_waiter", "get_paginator", "generate_presigned_url", "close"):
        return
    yield Use("operation", f"{service}:{operations(service).get(method, method)}", call.lineno, f"{method}()")


@cache
def operations(service: str) -> Mapping[str, str]:
    """Return the operations of a service by the names of boto3's methods; {} for a service that botocore doesn't have."""
    from botocore import xform_name
    from botocore.exceptions import UnknownServiceError
    from botocore.loaders import Loader

    try:
        model = Loader().load_service_model(service, "service-2")
    except UnknownServiceError:
        return {}
    return {xform_name(name): name for name in model["operations"]}


def _retrieved(call: ast.Call, position: int) -> Iterator[Use]:
    """Yield the image that image_uris.retrieve, or get_image_uri, names."""
    words = {word.arg: word.value for word in call.keywords}
    given = words.get("framework", words.get("repo_name", call.args[position] if len(call.args) > position else None))
    if isinstance(given, ast.Constant) and isinstance(given.value, str):
        name = {"xgboost": "sagemaker-xgboost", "sklearn": "sagemaker-scikit-learn"}.get(given.value, given.value)
        frameworks = ("pytorch", "tensorflow", "mxnet", "huggingface", "chainer")
        name = f"{name}-training" if name in frameworks else name
        uri = f"REGISTRY.dkr.ecr.{PLACEHOLDER}.amazonaws.com/{name}:1"
        yield Use("image", uri, call.lineno, f"{given.value!r}")


def _of_text(node: ast.AST) -> Iterator[Use]:
    """Yield the images and buckets in a text."""
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        text = "".join(map(str, parts))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    else:
        return
    for found in IMAGE.finditer(text):
        yield Use("image", re.sub(r"\{\w*\}", PLACEHOLDER, found[0]), node.lineno)
    if PUBLIC.match(text):
        yield Use("bucket", re.sub(r"\{\w*\}", PLACEHOLDER, text), node.lineno)
    for found in BUCKET.finditer(text):
        if not found[1].startswith("{"):
            yield Use("bucket", re.sub(r"\{\w*\}", PLACEHOLDER, f"{found[1]}{found[2] or ''}"), node.lineno)


def _modules(tree: ast.Module) -> Iterator[Use]:
    """Yield the modules that a training script imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Use("module", alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield Use("module", node.module.partition(".")[0], node.lineno)


def _of_shell(line: int, text: str) -> Iterator[Use]:
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # a quote that ends on another line
        words = text.split()
    words = [word for word in words if word not in ("sudo", "time")]
    if not words:
        return
    if words[0] == "aws":
        yield from _of_aws_cli(line, [word for word in words[1:] if not word.startswith("-")])
    elif words[0] in STRANGERS and (words[0] not in ("wget", "curl") or "amazonaws.com" in text):
        yield Use("command", " ".join(words[:3]), line)
    for found in BUCKET.finditer(text):
        if not found[1].startswith(("{", "$")):
            yield Use("bucket", re.sub(r"\{\w*\}", PLACEHOLDER, f"{found[1]}{found[2] or ''}"), line)


def _of_aws_cli(line: int, words: list[str]) -> Iterator[Use]:
    if words and words[0] in ("s3", "s3api"):
        yield Use("operation", "s3:", line, " ".join(["aws", *words[:2]]))
    elif len(words) > 1 and words[0] != "configure":
        method = words[1].replace("-", "_")
        name = operations(words[0]).get(method, words[1])
        yield Use("operation", f"{words[0]}:{name}", line, " ".join(["aws", *words[:2]]))
