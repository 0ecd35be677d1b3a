"""AWS's built-in algorithms, by the repositories of their images: alfine has some of them."""

from __future__ import annotations

AWS_ALGORITHMS = (
    *("blazingtext", "factorization-machines", "forecasting-deepar", "image-classification", "ipinsights", "kmeans"),
    *("knn", "lda", "linear-learner", "ntm", "object-detection", "object2vec", "pca", "randomcutforest"),
    *("sagemaker-xgboost", "semantic-segmentation", "seq2seq", "xgboost"),
)
"""Names of the repositories. Source: AWS's «Docker Registry Paths and Example Code»."""


def repository_of(image: str) -> str:
    """Return the repository of an image URI without its registry, tag and digest.

    Example:
        >>> repository_of("811284229777.dkr.ecr.us-east-1.amazonaws.com/image-classification:1")
        'image-classification'
    """
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0]


def aws_algorithm(image: str) -> str:
    """Return the name of AWS's built-in algorithm that an image contains; "" for every other image."""
    name = repository_of(image)
    return name if ".amazonaws.com" in image and name in AWS_ALGORITHMS else ""
